"""The figure of ``bench measure``: proxy and gold of each run against sqrt(KL)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from overopt.own_runs.measured import MeasuredRuns
from overopt.report.figures.form_marks import FORM_MARKS, FORM_NAMES
from overopt.report.figures.panels import draw_zero, line_key, put_legend
from overopt.report.figures.style import COLORS, FAINT, INK, Drawing, drawing_style, plain
from overopt.stats.arrays import Floats
from overopt.stats.fits.seeds import SeedFits
from overopt.stats.runs.gains import RunGains

PROXY_COLOR = COLORS[2]
CAPTION = (
    "Proxy and gold above the first row against the square root of KL. Thin: one run. The fitted "
    "forms are the means of the runs' fits. The peak is read where other runs, or the other half "
    "of the prompts, chose it."
)
CROWDED = 60
"""Rows of a run from which on they are drawn without a mark each."""


def draw_runs(measured: MeasuredRuns) -> Drawing:
    """All runs in one panel where proxy and gold have a unit in common, else in two."""
    report = measured.report
    together = report.units.comparable or not report.has_gold
    shown = ["rewards"] if together else ["proxy", "gold"]
    with drawing_style():
        figure = Figure(
            figsize=(1.0 + (4.4 if together else 3.1) * len(shown), 4.2),
            layout=ConstrainedLayoutEngine(h_pad=0.07, w_pad=0.06),
        )
        for key, panel in zip(shown, figure.subplots(1, len(shown), squeeze=False)[0], strict=True):
            panel.set_title(_title(key, measured), loc="left")
            draw_zero(panel)
            for run in report.runs:
                if key != "gold":
                    _draw(panel, run.d_K, run.proxy_K, PROXY_COLOR, "--")
                if key != "proxy":
                    rows = run.scored_K
                    _draw(panel, run.d_K[rows], run.gold_K[rows], INK, "-")
            if key != "proxy":
                _draw_forms(panel, report.fits, report.runs)
                if report.turn is not None:
                    d = float(np.sqrt(report.turn.peak.kl_nats))
                    panel.axvline(d, color=FAINT, linewidth=1.0, linestyle=":", zorder=1)
            unit = "nats" if measured.kl.per == "response" else measured.kl.unit
            panel.set_xlabel(f"d = √KL (√{unit})\nKL: {measured.kl.shown}")
        unit = "SDs of the initial policy" if report.units.comparable else "own units"
        figure.supylabel(f"gain ({unit})", fontsize=9)
        put_legend(figure, _keys(measured))
    return Drawing("measured", "Proxy and gold of a training run", CAPTION, figure)


def _title(key: str, measured: MeasuredRuns) -> str:
    if key == "proxy":
        return plain(measured.proxy)
    if key == "gold":
        return plain(measured.gold or "gold")
    names = measured.names
    return plain(names[0]) if len(names) == 1 else f"{len(names)} runs"


def _draw(panel: Axes, d_K: Floats, gain_K: Floats, color: str, line: str) -> None:
    mark = "o" if len(d_K) <= CROWDED else ""
    panel.plot(d_K, gain_K, line, color=color, linewidth=1.0, marker=mark, markersize=2.5, zorder=3)


def _draw_forms(panel: Axes, fits: Sequence[SeedFits], runs: Sequence[RunGains]) -> None:
    for level, one in enumerate(fits):
        if not one.fits_S:
            continue
        high = min(runs[s].d_K[runs[s].fitted_K].max() for s in one.fitted_S)
        d_K: Floats = np.linspace(0.0, float(high), 120)
        score_K = np.mean([each.predict(d_K) for each in one.fits_S], axis=0)
        mark = FORM_MARKS[one.form]
        panel.plot(d_K, score_K, color=mark.color, linewidth=2.4 - 1.3 * level, zorder=4)


def _keys(measured: MeasuredRuns) -> list[Artist]:
    report = measured.report
    keys: list[Artist] = [
        Line2D([], [], color=PROXY_COLOR, linestyle="--", linewidth=1.2, label="proxy")
    ]
    if report.has_gold:
        keys.append(Line2D([], [], color=INK, linewidth=1.2, label="gold"))
        keys += [line_key(FORM_NAMES[one.form], FORM_MARKS[one.form]) for one in report.fits
                 if one.fits_S]  # fmt: skip
    if report.turn is not None:
        keys.append(Line2D([], [], color=FAINT, linestyle=":", linewidth=1.0, label="peak of gold"))
    return keys
