"""Figure of ``bench scores``: best-of-n curves of scored samples, with their fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from overopt.errors import UserError
from overopt.report.fit_figures import FORM_MARKS, FORM_NAMES
from overopt.report.panels import draw_zero, line_key, put_legend
from overopt.report.style import INK, Mark, drawing_style, plain, save_figure
from overopt.stats.scored import ProxyReport

PER_ROW, PER_FIGURE = 3, 9


def draw_scores(reports: Sequence[ProxyReport], out: Path) -> list[Path]:
    """Write ``scores.png`` and ``scores.pdf`` (numbered when there are many proxies).

    Gold is shown as gain over n = 1 in its standard deviations there; the bars are 95 % t
    intervals over prompts.

    Args:
        reports: what ``overopt.stats.scored.analyse`` returned.
        out: an existing folder.

    Returns:
        The files written.

    Raises:
        UserError: when the folder cannot be written.
    """
    drawable = [report for report in reports if report.gold_sd > 0]
    sets = [drawable[i : i + PER_FIGURE] for i in range(0, len(drawable), PER_FIGURE)]
    written: list[Path] = []
    try:
        for number, some in enumerate(sets, start=1):
            name = f"scores_{number}" if len(sets) > 1 else "scores"
            written += save_figure(_draw(some), out / name)
    except OSError as error:
        raise UserError(
            f"The figure cannot be written to {out} ({error.strerror}); give another folder "
            "with --out."
        ) from error
    return written


def _draw(reports: Sequence[ProxyReport]) -> Figure:
    n_columns = min(len(reports), PER_ROW)
    n_rows = -(-len(reports) // n_columns)
    width_in = 4.4 if n_columns == 1 else 2.9
    with drawing_style():
        figure = Figure(
            figsize=(1.0 + width_in * n_columns, 0.9 + 2.6 * n_rows),
            layout=ConstrainedLayoutEngine(h_pad=0.07, w_pad=0.06),
        )
        array = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False).ravel()
        for panel, report in zip(array, reports, strict=False):
            _draw_report(panel, report)
        for panel in array[len(reports) :]:
            panel.set_axis_off()
        figure.supylabel("gold above n = 1 (SDs)", fontsize=9)
        keys = [line_key("best of n, 95 % t interval over prompts", Mark(INK, "o"))]
        keys[0].set_label("best of n, 95 % t interval over prompts")
        put_legend(figure, [*keys, *(line_key(FORM_NAMES[f], m) for f, m in FORM_MARKS.items())])
    return figure


def _draw_report(panel: Axes, report: ProxyReport) -> None:
    """One proxy: the measured curve with its intervals, and the fits above n = 1."""
    draw_zero(panel)
    points = [point for point in report.points if point.gold.mean is not None]
    d_K = np.sqrt([point.kl_nats for point in points])
    mean_K = _gain([point.gold.mean for point in points], report)
    panel.plot(d_K, mean_K, linestyle="none", marker="o", markersize=3.5, color=INK, zorder=4)
    for d, point in zip(d_K, points, strict=True):
        if point.gold.low is not None and point.gold.high is not None:
            panel.plot([d, d], _gain([point.gold.low, point.gold.high], report), color=INK,
                       linewidth=0.9, alpha=0.6, zorder=3)  # fmt: skip
    positive = d_K[d_K > 0]
    for one in report.forms:
        if one.fitted is None or one.form not in FORM_MARKS or not positive.size:
            continue
        grid = np.linspace(positive.min(), positive.max(), 100)
        panel.plot(grid, one.fitted.fit.predict(grid), color=FORM_MARKS[one.form].colour,
                   linewidth=1.4)  # fmt: skip
    panel.set_title(plain(report.proxy), loc="left")
    panel.set_xlabel("d = √KL (√nats)\nKL: bound log n − (n − 1)/n")


def _gain(gold: Sequence[float | None], report: ProxyReport) -> list[float]:
    return [(value - report.gold_mean) / report.gold_sd for value in gold if value is not None]
