"""How the KL estimators disagree: each one as a multiple of the one that names the axis."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from overopt.report.figures.kl_axis import name_together
from overopt.report.figures.layout import unique
from overopt.report.figures.panels import line_key, put_legend, wrap_columns
from overopt.report.figures.style import (
    COLORS,
    FAINT,
    INK,
    MARKERS,
    Drawing,
    Mark,
    drawing_style,
    plain,
)
from overopt.report.ratios import COLUMNS, moved_points, other_estimators, read_ratios
from overopt.report.stored.schema import ESTIMATORS

ESTIMATOR_MARKS = {
    name: Mark(color, marker)
    for name, color, marker in zip(COLUMNS, (*COLORS, INK), MARKERS, strict=False)
}
PER_FIGURE = 6
RATIO_TICKS = (0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)


def draw_estimators(points: pd.DataFrame) -> list[Drawing]:
    """Ratio of every stored KL estimate to the headline one; a panel per method.

    Args:
        points: labeled points of one task.
    """
    moved = moved_points(points)
    methods = [name for name in unique(iter(moved["method_label"])) if _others(moved, name)]
    sets = [methods[i : i + PER_FIGURE] for i in range(0, len(methods), PER_FIGURE)]
    return [
        _draw_set(moved, some, f"_{number}" if len(sets) > 1 else "")
        for number, some in enumerate(sets, start=1)
    ]


def _others(moved: pd.DataFrame, method: str) -> list[str]:
    """Estimators that a method stored besides the headline one."""
    return other_estimators(moved[moved["method_label"] == method])


def _draw_set(moved: pd.DataFrame, methods: Sequence[str], suffix: str) -> Drawing:
    n_columns = wrap_columns(len(methods))
    n_rows = -(-len(methods) // n_columns)
    with drawing_style():
        figure = Figure(
            figsize=(max(1.0 + 2.9 * n_columns, 4.6), 0.9 + 2.5 * n_rows),
            layout=ConstrainedLayoutEngine(h_pad=0.07, w_pad=0.06),
        )
        array = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False).ravel()
        shown: dict[str, None] = {}
        named: dict[Axes, set[str]] = {}
        for panel, method in zip(array, methods, strict=False):
            rows = moved[moved["method_label"] == method]
            panel.axhline(1.0, color=FAINT, linewidth=0.8, zorder=1)
            panel.set_xscale("log")
            panel.set_yscale("log")
            below = 0
            for name in _others(moved, method):
                below += _draw_ratio(panel, rows, name)
                shown[name] = None
            panel.set_title(plain(method), loc="left")
            named[panel] = set(rows["kl_estimator"])
            _set_ticks(panel)
            if below:
                note = f"{below} estimates ≤ 0 not on this axis"
                panel.annotate(note, (1.0, 0.0), xytext=(-2, 3), xycoords="axes fraction",
                               textcoords="offset points", ha="right", fontsize=7,
                               style="italic")  # fmt: skip
        for panel in array[len(methods) :]:
            panel.set_axis_off()
        name_together(named, "kl")
        figure.supylabel("estimate ÷ the axis's estimate", fontsize=9)
        put_legend(figure, [line_key(ESTIMATORS[name], ESTIMATOR_MARKS[name]) for name in COLUMNS
                            if name in shown])  # fmt: skip
    return Drawing(
        f"estimators{suffix}",
        "KL estimators compared",
        "Each estimator divided by the one that names the KL axis: faint for single points of all "
        "proxies, noise levels and seeds, line for the median along KL. Curves drawn over "
        "different estimators are not comparable.",
        figure,
    )


def _draw_ratio(panel: Axes, rows: pd.DataFrame, name: str) -> int:
    """Draw one estimator and return how many of its values cannot be shown on a log axis."""
    mark = ESTIMATOR_MARKS[name]
    ratios = read_ratios(rows, name)
    positive = ratios.ratio_K > 0
    panel.plot(ratios.kl_K[positive], ratios.ratio_K[positive], linestyle="none",
               marker=mark.marker, markersize=2.4, markeredgewidth=0, color=mark.color,
               alpha=0.22)  # fmt: skip
    shown = ratios.median_M > 0
    panel.plot(ratios.median_kl_M[shown], ratios.median_M[shown], color=mark.color,
               marker=mark.marker, markersize=4, linewidth=1.3)  # fmt: skip
    return int((~positive).sum())


def _set_ticks(panel: Axes) -> None:
    """Plain numbers on both logarithmic axes."""
    panel.xaxis.set_major_locator(LogLocator(base=10.0, numticks=8))
    panel.yaxis.set_major_locator(FixedLocator(list(RATIO_TICKS)))
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
