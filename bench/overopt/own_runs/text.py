"""What ``bench measure`` prints: the curve as a table, its fits and its verdict in words."""

from __future__ import annotations

import math

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from overopt.errors import printable
from overopt.own_runs.advice import steps_to_score
from overopt.own_runs.measured import MeasuredRuns
from overopt.own_scores.text import FORM_WORDS
from overopt.own_scores.words import count, show, with_bounds
from overopt.stats.fits.seeds import SeedFits

MEASURED = {
    "kl_nats": ("RB", 3),
    "kl_se_nats": ("se", 3),
    "kl_k1_nats": ("k1", 3),
    "kl_k2_nats": ("k2", 3),
    "kl_k3_nats": ("k3", 3),
    "entropy_nats": ("entropy", 2),
    "length_mean": ("tokens", 1),
    "distinct_2": ("dist-2", 2),
}
"""Measures of a checkpoint: their headings, and digits."""

SHOWN_ROWS = 12
"""Rows of a run that are printed; the file has all."""


def curve_table(measured: MeasuredRuns, index: int) -> Table:
    """One run, at steps about equally far apart in sqrt(KL)."""
    run = measured.report.runs[index]
    units = measured.report.units
    table = Table(
        title=printable(measured.names[index]),
        caption=f"KL: {measured.kl.shown}, {measured.kl.unit}; gains are over the first row, in "
        f"{_gain_unit(units.proxy_sd, 'the proxy')} and {_gain_unit(units.gold_sd, 'gold')}",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in ("step", "KL", "sqrt KL", "proxy", "gain", "gold", "gain"):
        table.add_column(name, justify="right", no_wrap=True)
    steps = steps_to_score(run, count=SHOWN_ROWS)
    turn = measured.report.turn
    if turn is not None:
        steps = sorted({*steps, turn.peak.steps[index], turn.end.steps[index]})
    gold_K, proxy_K = measured.gold_rows[index], measured.proxy_rows[index]
    for row in np.flatnonzero(np.isin(run.step_K, steps)).tolist():
        top = turn is not None and run.step_K[row] == turn.peak.steps[index]
        table.add_row(
            f"{'* ' if top else ''}{run.step_K[row]}",
            show(float(run.kl_K[row])),
            f"{math.sqrt(run.kl_K[row]):.2f}",
            show(proxy_K[row]),
            show(float(run.proxy_K[row])),
            "" if math.isnan(gold_K[row]) else show(gold_K[row]),
            "" if math.isnan(run.gold_K[row]) else show(float(run.gold_K[row])),
        )
    return table


def measures_table(measured: MeasuredRuns) -> Table:
    """What was measured on checkpoints beside the curve."""
    table = Table(
        title="KL by each estimator, and diagnostics",
        caption="KL and entropy in nats per response; tokens per response; share of distinct word "
        "pairs; checkpoints.csv has all",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in ("step", *(shown for shown, _ in MEASURED.values())):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in measured.measures:
        cells = [_figure(one.get(name), digits) for name, (_, digits) in MEASURED.items()]
        table.add_row(" ".join(filter(None, (one.get("run"), str(one["step"])))), *cells)
    return table


def _figure(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "missing"


def describe(measured: MeasuredRuns) -> list[str]:
    """Verdict, fits, gap and what is missing, one sentence or two a line."""
    report = measured.report
    lines = [measured.verdict]
    if not report.has_gold:
        return [*lines, *_advise(measured)]
    turn = report.turn
    if turn is not None and turn.n_choices > 1:
        who = {"runs": "runs", "prompts": "halves of the prompts"}.get(
            turn.over, "halves of the prompts in each run"
        )
        lines.append(
            f"peak: the choice of {turn.n_agreeing} of {turn.n_choices} {who}, each read where the "
            f"others chose; 95 % t intervals over {turn.over}."
        )
    for one in report.fits:
        lines += _describe_fit(one, measured)
    gap = report.gap
    if gap is not None and gap.fitted.mean is not None:
        lines.append(
            f"gap: gamma = {with_bounds(gap.fitted)} by the {gap.form.value} form ({gap.form_by}), "
            f"{with_bounds(gap.trapezoid)} by the rows themselves; 0 where gold follows the proxy."
        )
    if gap is not None and gap.reason:
        hint = "" if report.units.comparable else "; give --proxy-sd and --gold-sd"
        lines.append(f"gap: gamma is missing: {gap.reason}{hint}.")
    runs = len(report.runs)
    if turn is not None and turn.over != "prompts" and runs < 5:
        lines.append(f"exploratory: {count(runs, 'run')} only.")
    return lines


def _describe_fit(one: SeedFits, measured: MeasuredRuns) -> list[str]:
    name = FORM_WORDS.get(one.form, one.form.value)
    if not one.fits_S:
        reason = one.left_out[0].reason if one.left_out else "no run has gold"
        if not any(run.gold_starts_at_initial for run in measured.report.runs):
            reason = "gold does not start at the initial policy; add a row of step 0 and KL 0"
        return [f"{name}: no fit, {reason}."]
    of = "" if len(one.fits_S) == len(measured.report.runs) else f" in {len(one.fits_S)} runs"
    rmse = show(sum(each.rmse for each in one.fits_S) / len(one.fits_S))
    lines = [
        f"{name}{of}: a = {with_bounds(one.a)}, b = {with_bounds(one.b)}, residuals of {rmse};"
    ]
    if one.peak_d.mean is None:
        return [*lines, f"  {one.peak_reason}."]
    kl = show(one.peak_d.mean**2)
    many = "" if one.n_peaks == len(one.fits_S) else f" ({one.n_peaks} of {len(one.fits_S)} runs)"
    return [
        *lines,
        f"  peak at sqrt KL = {with_bounds(one.peak_d)}, KL {kl}{many}, of height "
        f"{with_bounds(one.peak_height)}.",
    ]


def _advise(measured: MeasuredRuns) -> list[str]:
    lines = []
    if measured.advised_steps:
        steps = ", ".join(str(step) for step in measured.advised_steps)
        lines.append(
            f"Score these checkpoints with a gold reward, about equally far apart in sqrt(KL): "
            f"steps {steps}."
        )
        lines.append(
            "bench measure --policy DIR --reference MODEL --proxy MODEL --gold MODEL --prompts "
            "FILE does it; or add a column gold to the log."
        )
    if measured.candidates:
        shown = ", ".join(measured.candidates[:6])
        lines.append(f"If one of these columns is gold, name it with --gold: {shown}.")
    return lines


def _gain_unit(sd: float | None, whose: str) -> str:
    if sd is None:
        return f"{whose}'s own unit"
    return f"SDs of {whose} under the initial policy"
