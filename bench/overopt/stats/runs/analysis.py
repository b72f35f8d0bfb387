"""All that the rows of training runs say: gains, fits of gold, where it turns, the gap to proxy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overopt.stats.arrays import Floats
from overopt.stats.fits.forms import Form
from overopt.stats.fits.gamma_form import choose_gamma_form
from overopt.stats.fits.holdout import Split, cut_seeds, hold_out_seeds, peak_of_others
from overopt.stats.fits.seeds import SeedFits, fit_seeds
from overopt.stats.intervals import t_interval
from overopt.stats.runs.gains import RunGains, RunPoints, Units, gains_of
from overopt.stats.runs.report import Gap, RunsReport, Turn
from overopt.stats.runs.turn import turn_over_runs
from overopt.stats.scores import NO_GOLD, score_method

FITTED_FORMS = (Form.BON, Form.RL)
NOT_COMPARABLE = "the standard deviations of proxy and gold under the initial policy are unknown"
LATE_START = "no run with gold starts at the initial policy"


def analyze_runs(
    points: Sequence[RunPoints],
    units: Units,
    turn: Turn | None = None,
    level: float = 0.95,
    gold_SRB: Sequence[Floats] | None = None,
) -> RunsReport:
    """Gains, fits, turn and gap of runs that differ in their seed.

    Args:
        points: the runs.
        units: standard deviations of proxy and gold under the initial policy.
        turn: peak and end of one run where they are known from prompts; by default they are found
            over runs.
        level: coverage.
        gold_SRB: of several runs, gold by prompt, as `turn_over_runs` takes it.

    Raises:
        ValueError: if there is no run, and as `gains_of`.
    """
    if not points:
        raise ValueError("there is no run")
    runs = tuple(gains_of(one, units) for one in points)
    if not any(run.scored_K.any() for run in runs):
        return RunsReport(runs, units, (), None, None, None)
    reason: str | None = None
    if turn is None:
        try:
            turn = turn_over_runs(runs, level, gold_SRB)
        except ValueError as refusal:
            reason = str(refusal)
    d_S = [run.d_K[run.fitted_K] for run in runs]
    gold_S = [run.gold_K[run.fitted_K] for run in runs]
    fits = tuple(fit_seeds(d_S, gold_S, form, level) for form in FITTED_FORMS)
    return RunsReport(runs, units, fits, turn, reason, _gap(runs, units, fits, level))


def _gap(runs: Sequence[RunGains], units: Units, fits: Sequence[SeedFits], level: float) -> Gap:
    """gamma of each run on its rows with gold."""
    used = [run for run in runs if run.gold_starts_at_initial]
    d_S = [run.d_K[run.fitted_K] for run in used]
    gold_S = [run.gold_K[run.fitted_K] for run in used]
    form, form_by = Form.RL, "nothing was fitted"
    if used:
        peak_S = peak_of_others(d_S, gold_S)
        cuts = cut_seeds(d_S, gold_S, peak_S, Split.WITH_PEAK)
        form, form_by = choose_gamma_form(
            {one.form: one for one in fits},
            {one: hold_out_seeds(cuts, one, level) for one in FITTED_FORMS},
        )
    none = t_interval([], level)
    if not used or not units.comparable:
        return Gap(none, none, form, form_by, NOT_COMPARABLE if used else LATE_START)
    fitted, trapezoid, reasons = [], [], []
    for run, d_K, gold_K in zip(used, d_S, gold_S, strict=True):
        proxy_K = run.proxy_K[run.fitted_K]
        proxy_K = proxy_K - proxy_K[0]
        kl_K = np.square(d_K)
        try:
            scores = score_method(kl_K, gold_K, proxy_K, float(kl_K.max()), form=form)
        except ValueError as refusal:
            reasons.append(str(refusal))
            continue
        if scores.gamma is None:
            reasons.append(scores.gamma_reason or NO_GOLD)
        else:
            fitted.append(scores.gamma)
        if scores.gamma_trapezoid is not None:
            trapezoid.append(scores.gamma_trapezoid)
    reason = None
    if reasons:
        reason = (
            reasons[0] if len(runs) == 1 else f"{reasons[0]} ({len(reasons)} of {len(runs)} runs)"
        )
    return Gap(t_interval(fitted, level), t_interval(trapezoid, level), form, form_by, reason)
