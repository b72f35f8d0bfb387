"""How the KL estimators disagree: each one as a multiple of the one that names the axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

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
from overopt.report.stored.schema import ESTIMATORS, estimator_name

COLUMNS = {
    "rb": "kl_rb_nats",
    "k1": "kl_k1_nats",
    "k2": "kl_k2_nats",
    "k3": "kl_k3_nats",
    "bound": "kl_bound_nats",
    "pool": "kl_pool_nats",
    "exact": "kl_exact_nats",
}
"""Where each estimator is stored."""

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
    moved = points[(points["status"] == "ok") & (points["kl_nats"] > 0)]
    methods = [name for name in unique(iter(moved["method_label"])) if _others(moved, name)]
    sets = [methods[i : i + PER_FIGURE] for i in range(0, len(methods), PER_FIGURE)]
    return [
        _draw_set(moved, some, f"_{number}" if len(sets) > 1 else "")
        for number, some in enumerate(sets, start=1)
    ]


def _others(moved: pd.DataFrame, method: str) -> list[str]:
    """Estimators that a method stored besides the headline one."""
    rows = moved[moved["method_label"] == method]
    return [
        name
        for name, column in COLUMNS.items()
        if (rows[column].notna() & (rows["kl_estimator"] != name)).any()
    ]


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
            headline = "+".join(sorted(set(rows["kl_estimator"])))
            panel.set_xlabel(f"KL (nats per response)\nKL: {estimator_name(headline)}")
            _set_ticks(panel)
            if below:
                note = f"{below} estimates ≤ 0 not on this axis"
                panel.annotate(note, (1.0, 0.0), xytext=(-2, 3), xycoords="axes fraction",
                               textcoords="offset points", ha="right", fontsize=7,
                               style="italic")  # fmt: skip
        for panel in array[len(methods) :]:
            panel.set_axis_off()
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
    there = rows[rows[COLUMNS[name]].notna() & (rows["kl_estimator"] != name)]
    kl = there["kl_nats"].to_numpy(np.float64)
    ratio = there[COLUMNS[name]].to_numpy(np.float64) / kl
    positive = ratio > 0
    panel.plot(kl[positive], ratio[positive], linestyle="none", marker=mark.marker, markersize=2.4,
               markeredgewidth=0, color=mark.color, alpha=0.22)  # fmt: skip
    shares = np.array_split(np.argsort(kl, kind="stable"), min(9, kl.size))
    middle = np.array([[np.median(kl[share]), np.median(ratio[share])] for share in shares])
    middle = middle[middle[:, 1] > 0]
    panel.plot(middle[:, 0], middle[:, 1], color=mark.color, marker=mark.marker, markersize=4,
               linewidth=1.3)  # fmt: skip
    return int((~positive).sum())


def _set_ticks(panel: Axes) -> None:
    """Plain numbers on both logarithmic axes."""
    panel.xaxis.set_major_locator(LogLocator(base=10.0, numticks=8))
    panel.yaxis.set_major_locator(FixedLocator(list(RATIO_TICKS)))
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
