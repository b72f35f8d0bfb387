"""Figures of the functional forms: the fitted curves on their points, and what they leave over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from overopt.report.figures.form_marks import FORM_MARKS, FORM_NAMES
from overopt.report.figures.kl_axis import GOLD_AXIS
from overopt.report.figures.layout import (
    by_method_and_proxy,
    finish_grid,
    noise_labels,
    rows_and_columns,
    shown_in,
    start_grid,
    unique,
)
from overopt.report.figures.marks import draw_seeds
from overopt.report.figures.panels import draw_zero, limit_y, line_key, put_legend, split_grid
from overopt.report.figures.style import INK, Drawing, Mark, drawing_style, plain
from overopt.report.fits import GroupFit
from overopt.report.group import Group
from overopt.report.noise_labels import name_noise
from overopt.stats.arrays import Floats
from overopt.stats.fits.forms import Form


def draw_fits(fits: Sequence[GroupFit]) -> list[Drawing]:
    """The two forms on the points they were fitted to; one set of figures per noise level."""
    drawings = []
    noises = noise_labels([one.group for one in fits])
    for number, noise in enumerate(noises, start=1):
        groups = [one.group for one in fits if one.form is Form.RL and one.group.noise == noise]
        cells, titles = by_method_and_proxy(groups, [noise])
        titles = {key: title for key, title in titles.items() if key in cells}
        by_group = {(id(one.group), one.form): one for one in fits}
        for block in split_grid(*rows_and_columns(cells), shown_in(cells)):
            with drawing_style():
                grid = start_grid(block, cells, titles)
                for key, panel in grid.axes.items():
                    draw_zero(panel)
                    for group in cells[key]:
                        draw_seeds(panel, group, Mark(INK, "o"), "d", "gold")
                        for level, (form, mark) in enumerate(FORM_MARKS.items()):
                            _draw_fit(panel, by_group[id(group), form], mark, level)
                limit_y(grid, 0.13)
                finish_grid(grid, cells, "d", GOLD_AXIS)
                keys = [line_key(FORM_NAMES[form], mark) for form, mark in FORM_MARKS.items()]
                peak = Line2D([], [], color=INK, marker="|", markersize=7, linewidth=1.0)
                peak.set_label("fitted peak, 95 % t interval")
                put_legend(grid.figure, [*keys, peak])
            drawings.append(
                Drawing(
                    f"fits{f'_{number}' if len(noises) > 1 else ''}{block.suffix}",
                    f"Fitted forms, {name_noise(noise)}",
                    "Each form is fitted to each seed's points; line and band: mean and 95 % t "
                    "interval over the seeds' fits, drawn only where there are points. Bars at the "
                    "foot: position of the fitted peak over the seeds that have one in range. Bars "
                    "and bands are cut by the panel's edge.",
                    grid.figure,
                )
            )
    return drawings


def draw_residuals(fits: Sequence[GroupFit]) -> list[Drawing]:
    """Measured minus fitted gold for both forms, all proxies and seeds together."""
    groups = [one.group for one in fits if one.form is Form.RL]
    cells: dict[tuple[str, str], list[Group]] = {}
    titles: dict[tuple[str, str], str] = {}
    for method in unique(group.titled for group in groups):
        for noise in noise_labels(groups):
            members = [g for g in groups if g.titled == method and g.noise == noise]
            cells[method, noise] = members
            titles[method, noise] = f"{plain(method)} · {name_noise(noise)}"
    by_group = {(id(one.group), one.form): one for one in fits}
    drawings = []
    for block in split_grid(*rows_and_columns(cells), shown_in(cells)):
        with drawing_style():
            grid = start_grid(block, cells, titles)
            for key, panel in grid.axes.items():
                draw_zero(panel)
                for form, mark in FORM_MARKS.items():
                    chosen = [by_group[id(group), form] for group in cells[key]]
                    _draw_residuals(panel, chosen, mark)
            limit_y(grid)
            finish_grid(grid, cells, "d", "measured − fitted gold (SDs)")
            put_legend(
                grid.figure,
                [line_key(FORM_NAMES[form], mark) for form, mark in FORM_MARKS.items()],
            )
        drawings.append(
            Drawing(
                f"residuals{block.suffix}",
                "Residuals of the two forms",
                "Points: all seeds and proxies; line: their mean in equal shares along d. A form "
                "that holds scatters about 0 without a bend.",
                grid.figure,
            )
        )
    return drawings


def _draw_fit(panel: Axes, one: GroupFit, mark: Mark, level: int) -> None:
    """Mean fitted curve with its band over seeds, and the interval of its peak at the foot."""
    if not one.fits.fits_S:
        return
    low = min(float(seed.d_K[seed.d_K > 0].min()) for seed in one.fitted_seeds)
    d_K: Floats = np.linspace(low, max(fit.d_high for fit in one.fits.fits_S), 80)
    band = one.band(d_K)
    panel.plot(d_K, [each.mean or 0.0 for each in band], color=mark.color, linewidth=1.4, zorder=4)
    if all(each.low is not None for each in band):
        edges = [np.array([getattr(each, side) for each in band]) for side in ("low", "high")]
        panel.fill_between(d_K, edges[0], edges[1], color=mark.color, alpha=0.18, linewidth=0)
    peak = one.fits.peak_d
    if peak.mean is None:
        return
    height = 0.04 + 0.055 * level
    transform = panel.get_xaxis_transform()
    panel.plot([peak.mean], [height], marker="|", markersize=7, color=mark.color,
               transform=transform, linestyle="none")  # fmt: skip
    if peak.low is not None and peak.high is not None:
        ends = [max(peak.low, 0.0), min(peak.high, 1.06 * float(d_K[-1]))]
        panel.plot(ends, [height, height], color=mark.color,
                   linewidth=1.0, transform=transform)  # fmt: skip


def _draw_residuals(panel: Axes, fits: Sequence[GroupFit], mark: Mark) -> None:
    """Residuals of one form as points, with their mean in equal shares along d."""
    d_parts: list[Floats] = []
    residual_parts: list[Floats] = []
    for one in fits:
        if not one.fits.fits_S:
            continue
        for seed, fit in zip(one.fitted_seeds, one.fits.fits_S, strict=True):
            used = seed.d_K > 0
            d_parts.append(seed.d_K[used])
            residual_parts.append(seed.gold_K[used] - fit.predict(seed.d_K[used]))
    if not d_parts:
        return
    d, residual = np.concatenate(d_parts), np.concatenate(residual_parts)
    panel.plot(d, residual, linestyle="none", marker="o", markersize=2.4, markeredgewidth=0,
               color=mark.color, alpha=0.22)  # fmt: skip
    order = np.argsort(d, kind="stable")
    shares = np.array_split(order, min(9, d.size))
    panel.plot(
        [d[share].mean() for share in shares],
        [residual[share].mean() for share in shares],
        color=mark.color,
        linewidth=1.4,
    )
