"""The figure of scored monitors: where each stops the runs, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overopt.report.figures.style import FAINT, INK, Drawing, Mark, assign_marks, drawing_style
from overopt.report.monitoring.scoring import CONTROL, GroupScores, MonitorScore

_ROW_INCHES = 0.24
CAPTION = (
    "Left: gold of every seed along sqrt(KL) (gray), its mean (black), and where each monitor "
    "stops the seeds, one mark for each half of the prompts; hollow where it did not ring. Right: "
    "regret to the peak with 95 % intervals over seeds and prompts; the band is that of the "
    "constant stop."
)


def draw_monitors(groups: Sequence[GroupScores]) -> Drawing:
    """One row of two panels for each group."""
    names = sorted({one.monitor for scores in groups for one in scores.scores})
    marks = assign_marks(names)
    most = max(sum(one.regret is not None for one in scores.scores) for scores in groups)
    height = max(2.6, 1.2 + _ROW_INCHES * (most + 1))
    with drawing_style():
        figure = Figure(figsize=(8.2, height * len(groups)), layout="constrained")
        axes = figure.subplots(len(groups), 2, squeeze=False, width_ratios=(1.15, 1.0))
        for (curves, costs), scores in zip(axes, groups, strict=True):
            scored = [one for one in scores.ranked if one.regret is not None]
            _draw_curves(curves, scores, scored, marks)
            _draw_regrets(costs, scores, scored, marks)
    return Drawing("monitors", "Monitors", CAPTION, figure)


def _draw_curves(
    axes: Axes, scores: GroupScores, scored: Sequence[MonitorScore], marks: Mapping[str, Mark]
) -> None:
    budgets = scores.runs.budgets
    d_SK = np.sqrt(budgets.kl_SK)
    gain_SK = (budgets.gold_SKB - budgets.gold_SKB[:, :1]).mean(axis=2)
    for d_K, gain_K in zip(d_SK, gain_SK, strict=True):
        axes.plot(d_K, gain_K, color=FAINT, linewidth=0.7, alpha=0.7)
    axes.plot(d_SK.mean(axis=0), gain_SK.mean(axis=0), color=INK, linewidth=1.4)
    low, high = float(gain_SK.min()), float(gain_SK.max())
    gap = (high - low or 1.0) * 0.085
    for row, one in enumerate(scored, start=1):
        stop = scores.stopped[one.monitor]
        stop_S2 = np.take_along_axis(d_SK[:, 1:], stop.column_S2, axis=1)
        mark = marks[one.monitor]
        for half in (0, 1):
            for d, rang in zip(stop_S2[:, half], stop.rang_S2[:, half], strict=True):
                axes.plot(
                    d,
                    low - gap * row,
                    linestyle="",
                    marker=mark.marker,
                    markersize=4.5,
                    color=mark.color,
                    markerfacecolor=mark.color if rang else "white",
                    alpha=0.75,
                )
    axes.axhline(0.0, color=FAINT, linewidth=0.6)
    axes.set_title(scores.name, loc="left")
    axes.set_xlabel("sqrt(KL), sqrt(nats)")
    axes.set_ylabel("gold, SDs of the initial policy")


def _draw_regrets(
    axes: Axes, scores: GroupScores, scored: Sequence[MonitorScore], marks: Mapping[str, Mark]
) -> None:
    rows = [(one.monitor, one.regret, marks[one.monitor].color) for one in scored]
    rows += [("no stop", scores.to_end, INK), ("own best look", scores.own_best, INK)]
    for place, (name, regret, color) in enumerate(rows):
        assert regret is not None
        marker = marks[name].marker if name in marks else "o"
        axes.plot(regret.mean, place, marker=marker, color=color, markersize=5)
        if regret.low is not None and regret.high is not None:
            axes.hlines(place, regret.low, regret.high, color=color, linewidth=1.3)
            if name == CONTROL:
                axes.axvspan(regret.low, regret.high, color=color, alpha=0.12, linewidth=0)
    axes.axvline(0.0, color=FAINT, linewidth=0.6)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("regret to the peak, SDs of the initial policy")
