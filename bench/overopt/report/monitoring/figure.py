"""The figure of scored monitors: where each stops the runs, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overopt.report.figures.style import FAINT, INK, Drawing, Mark, assign_marks, drawing_style
from overopt.report.monitoring.scoring import CONTROL, GroupScores, MonitorScore
from overopt.stats.crossed import Crossed

_ROW_INCHES = 0.24
_BESIDE = ("no stop", "own best look")
"""Rows that are no monitor: the end, and what knows gold."""
CAPTION = (
    "Left: gold of every seed along sqrt(KL) (gray) and its mean (black). Middle: where each "
    "monitor stops the seeds, a mark for each seed and half of the prompts, hollow where it did "
    "not ring. Right: regret to the peak with 95 % intervals over seeds and prompts; the band is "
    "that of the constant stop."
)


def draw_monitors(groups: Sequence[GroupScores]) -> Drawing:
    """One row of three panels for each group; the middle and the right one share their rows."""
    names = sorted({one.monitor for scores in groups for one in scores.scores})
    marks = assign_marks(names)
    most = max(sum(one.regret is not None for one in scores.scores) for scores in groups)
    height = max(2.6, 1.1 + _ROW_INCHES * (most + len(_BESIDE)))
    with drawing_style():
        figure = Figure(figsize=(9.6, height * len(groups)), layout="constrained")
        axes = figure.subplots(len(groups), 3, squeeze=False, width_ratios=(1.0, 0.9, 1.0))
        for (curves, stops, costs), scores in zip(axes, groups, strict=True):
            scored = [one for one in scores.ranked if one.regret is not None]
            _draw_curves(curves, scores)
            _draw_stops(stops, scores, scored, marks)
            _draw_regrets(costs, scores, scored, marks)
            stops.sharex(curves)
            stops.set_yticks(
                range(len(scored) + len(_BESIDE)), [*(one.monitor for one in scored), *_BESIDE]
            )
            costs.sharey(stops)
            costs.tick_params(labelleft=False)
            costs.set_ylim(len(scored) + len(_BESIDE) - 0.5, -0.5)
    return Drawing("monitors", "Monitors", CAPTION, figure)


def _draw_curves(axes: Axes, scores: GroupScores) -> None:
    budgets = scores.runs.budgets
    d_SK = np.sqrt(budgets.kl_SK)
    gain_SK = (budgets.gold_SKB - budgets.gold_SKB[:, :1]).mean(axis=2)
    for d_K, gain_K in zip(d_SK, gain_SK, strict=True):
        axes.plot(d_K, gain_K, color=FAINT, linewidth=0.7, alpha=0.7)
    axes.plot(d_SK.mean(axis=0), gain_SK.mean(axis=0), color=INK, linewidth=1.4)
    axes.axhline(0.0, color=FAINT, linewidth=0.6)
    axes.set_title(scores.name, loc="left")
    axes.set_xlabel("sqrt(KL), sqrt(nats)")
    axes.set_ylabel("gold, SDs of the initial policy")


def _draw_stops(
    axes: Axes, scores: GroupScores, scored: Sequence[MonitorScore], marks: Mapping[str, Mark]
) -> None:
    d_SK = np.sqrt(scores.runs.budgets.kl_SK[:, 1:])
    for row, one in enumerate(scored):
        stop, mark = scores.stopped[one.monitor], marks[one.monitor]
        d_S2 = np.take_along_axis(d_SK, stop.column_S2, axis=1)
        for rang, face in ((True, mark.color), (False, "white")):
            d_R = d_S2[stop.rang_S2 == rang]
            axes.plot(
                d_R,
                np.full(d_R.size, row),
                linestyle="",
                marker=mark.marker,
                markersize=4.5,
                color=mark.color,
                markerfacecolor=face,
                alpha=0.75,
            )
    place = len(scored)
    axes.plot(d_SK[:, -1], np.full(len(d_SK), place), linestyle="", marker="|", color=INK)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("stopped at sqrt(KL), sqrt(nats)")


def _draw_regrets(
    axes: Axes, scores: GroupScores, scored: Sequence[MonitorScore], marks: Mapping[str, Mark]
) -> None:
    rows: list[tuple[str, Crossed, Mark]] = [
        (one.monitor, one.regret, marks[one.monitor]) for one in scored if one.regret is not None
    ]
    beside = (scores.to_end, scores.own_best)
    rows += [(name, one, Mark(INK, "|")) for name, one in zip(_BESIDE, beside, strict=True)]
    for place, (name, regret, mark) in enumerate(rows):
        axes.plot(regret.mean, place, marker=mark.marker, color=mark.color, markersize=5)
        if regret.low is not None and regret.high is not None:
            axes.hlines(place, regret.low, regret.high, color=mark.color, linewidth=1.3)
            if name == CONTROL:
                axes.axvspan(regret.low, regret.high, color=mark.color, alpha=0.12, linewidth=0)
    axes.axvline(0.0, color=FAINT, linewidth=0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("regret, SDs of the initial policy")
