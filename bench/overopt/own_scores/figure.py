"""The figure of ``bench scores``: gold and proxy of best-of-n along KL, one panel per proxy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from overopt.report.figures.form_marks import FORM_MARKS, FORM_NAMES
from overopt.report.figures.kl_axis import label_x
from overopt.report.figures.panels import draw_zero, line_key, make_grid, put_legend, split_grid
from overopt.report.figures.style import COLORS, FAINT, INK, Drawing, Mark, drawing_style, plain
from overopt.stats.arrays import Floats
from overopt.stats.intervals import Interval
from overopt.stats.pools.listed import POOL_CAVEAT
from overopt.stats.scored import KL_ESTIMATOR, CurvePoint, ProxyReport

PROXY_COLOR = COLORS[2]
TALLEST_PROXY = 3.0  # times the highest gold; a proxy with heavy tails would flatten all else
HEAD, FOOT = 0.11, 0.13  # shares of a panel for the scale of n and for the intervals of peaks
NARROWEST_MARKS = 0.05  # share of the width between two marks of n
CAPTION = (
    "Mean gain of best-of-n over the prompt's own mean, in standard deviations at n = 1, with "
    "95 % t intervals over prompts. Points: the n that were fitted. Bars at the foot: fitted "
    f"peaks with jackknife intervals over prompts. {POOL_CAVEAT}"
)


def draw_scores(reports: Sequence[ProxyReport]) -> list[Drawing]:
    """Gold and proxy against d = sqrt(KL) with bands, the fits and their peaks.

    Args:
        reports: what `overopt.stats.scored.analyze` returned.
    """
    placed = {(f"{i}", ""): report for i, report in enumerate(reports)}
    drawings = []
    for block in split_grid([row for row, _ in placed], [""], placed):
        shown = {key: placed[key] for key in block.keys}
        ceiling = TALLEST_PROXY * max(_highest_gold(report) for report in shown.values())
        with drawing_style():
            grid = make_grid(
                block,
                {key: plain(report.proxy) for key, report in shown.items()},
                {key: _note(report, ceiling) for key, report in shown.items()},
            )
            for key, report in shown.items():
                _draw_report(grid.axes[key], report)
            first = grid.axes[block.keys[0]]
            low, high = first.get_ylim()
            high = min(high, 1.05 * ceiling) if ceiling > 0 else high
            foot = FOOT if any(_has_peak(report) for report in shown.values()) else 0.0
            height = (high - low) / (1.0 - HEAD - foot)
            first.set_ylim(low - foot * height, high + HEAD * height)
            for key, report in shown.items():
                label_x(grid.axes[key], "d", {KL_ESTIMATOR})
                _mark_n(grid.axes[key], report.points)
            grid.figure.supylabel("gain over n = 1 (SDs at n = 1)", fontsize=9)
            put_legend(grid.figure, _keys(list(shown.values())))
        drawings.append(
            Drawing(f"scores{block.suffix}", "Gold and proxy of best-of-n", CAPTION, grid.figure)
        )
    return drawings


def _draw_report(panel: Axes, report: ProxyReport) -> None:
    draw_zero(panel)
    d_K = np.sqrt([point.kl_nats for point in report.points])
    _draw_band(panel, d_K, [point.proxy_gain for point in report.points], PROXY_COLOR, "--")
    gold_K = [point.gold_gain for point in report.points]
    _draw_band(panel, d_K, gold_K, INK, "")
    for i, point in enumerate(report.points):
        if point.n in report.fitted_n and point.gold_gain.mean is not None:
            panel.plot(d_K[i], point.gold_gain.mean, marker="o", markersize=3, color=INK, zorder=5)
    for level, one in enumerate(report.forms):
        if one.fitted is None:
            continue
        mark = FORM_MARKS[one.form]
        curve_d: Floats = np.linspace(d_K[1], one.fitted.fit.d_high, 120)
        panel.plot(
            curve_d, one.fitted.fit.predict(curve_d), color=mark.color, linewidth=2.4 - 1.3 * level
        )
        if one.fitted.peak_d is not None:
            _draw_peak(panel, one.fitted.peak_d, d_K[-1], mark, level)


def _draw_band(
    panel: Axes, d_K: Floats, score_K: Sequence[Interval], color: str, line: str
) -> None:
    """Means as a line, intervals as a band; what is missing is left out."""
    there = [i for i, one in enumerate(score_K) if one.mean is not None]
    if line:
        means = np.array([score_K[i].mean for i in there], np.float64)
        panel.plot(d_K[there], means, line, color=color, linewidth=1.2, zorder=3)
    bounded = [i for i in there if score_K[i].low is not None]
    edges = [
        np.array([getattr(score_K[i], side) for i in bounded], np.float64)
        for side in ("low", "high")
    ]
    panel.fill_between(d_K[bounded], edges[0], edges[1], color=color, alpha=0.16, linewidth=0)


def _draw_peak(panel: Axes, peak: Interval, d_last: float, mark: Mark, level: int) -> None:
    """Position of a fitted peak at the foot, its interval cut at the ends of the curve."""
    height, transform = 0.035 + 0.055 * level, panel.get_xaxis_transform()
    panel.plot([peak.mean or 0.0], [height], marker="|", markersize=6, color=mark.color,
               transform=transform, linestyle="none")  # fmt: skip
    if peak.low is not None and peak.high is not None:
        ends = [max(peak.low, 0.0), min(peak.high, d_last)]
        panel.plot(ends, [height, height], color=mark.color, linewidth=1.0, transform=transform)


def _mark_n(panel: Axes, points: Sequence[CurvePoint]) -> None:
    """A scale of n along the head of the panel; where ties crowd the n, some go without a mark."""
    transform = panel.get_xaxis_transform()
    largest = points[-1].n
    counts = [n for n in (1, 2, *(4**k for k in range(1, 12))) if n <= largest]
    if largest >= 2 * counts[-1]:
        counts.append(largest)
    marked_d = -np.inf
    room = NARROWEST_MARKS * np.sqrt(max(point.kl_nats for point in points))
    for point in points:
        d = np.sqrt(point.kl_nats)
        if point.n not in counts or d < marked_d + room:
            continue
        marked_d = d
        panel.plot([d, d], [0.98, 1.0], color=FAINT, linewidth=0.8, transform=transform)
        align: Literal["left", "center"] = "left" if point.n == 1 else "center"
        label = f"n = {point.n}" if point.n == 1 else f"{point.n}"
        panel.text(d, 0.97, label, transform=transform, fontsize=6.5, ha=align, va="top")


def _keys(reports: Sequence[ProxyReport]) -> list[Artist]:
    gold = Line2D([], [], color=INK, marker="o", markersize=3, linestyle="none", label="gold")
    proxy = Line2D([], [], color=PROXY_COLOR, linestyle="--", linewidth=1.2, label="proxy")
    fitted = {one.form for report in reports for one in report.forms if one.fitted is not None}
    forms = [line_key(FORM_NAMES[form], FORM_MARKS[form]) for form in FORM_MARKS if form in fitted]
    peak = Line2D([], [], color=INK, marker="|", markersize=6, linewidth=1.0, label="fitted peak")
    return [gold, proxy, *forms, *([peak] if any(map(_has_peak, reports)) else [])]


def _has_peak(report: ProxyReport) -> bool:
    return any(one.fitted is not None and one.fitted.peak_d is not None for one in report.forms)


def _highest_gold(report: ProxyReport) -> float:
    """Highest upper bound of the gold gain (of its size, where gold only falls), SDs."""
    return max(
        (
            abs(edge)
            for point in report.points
            for edge in (point.gold_gain.mean, point.gold_gain.low, point.gold_gain.high)
            if edge is not None
        ),
        default=0.0,
    )


def _note(report: ProxyReport, ceiling: float) -> str:
    counts = report.counts
    pools = f"{counts.smallest_pool} to {counts.largest_pool} samples"
    if counts.smallest_pool == counts.largest_pool:
        pools = f"{counts.largest_pool} samples"
    last = report.points[-1].proxy_gain.mean
    cut = f"; proxy ends at {last:.1f} SD" if last is not None and last > ceiling > 0 else ""
    return f"{counts.n_prompts} prompts of {pools}{cut}"
