"""Gold along KL by the size of the proxy: sizes in one panel, as an ordered scale of colors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import matplotlib as mpl
from matplotlib.colors import to_hex

from overopt.report.figures.kl_axis import GOLD_AXIS
from overopt.report.figures.layout import finish_grid, noise_labels, start_grid
from overopt.report.figures.marks import draw_mean
from overopt.report.figures.panels import (
    Key,
    draw_zero,
    limit_y,
    line_key,
    put_legend,
    split_grid,
)
from overopt.report.figures.style import Drawing, Mark, drawing_style, plain
from overopt.report.group import Group
from overopt.report.noise_labels import name_noise

KINDS = {"width": "width", "comparisons": "training pairs"}
"""Sizes of a proxy, by their name in ``Size``, in words."""
LIGHTEST = 0.87
"""Share of the color scale that stands out from white."""


def draw_sizes(groups: Sequence[Group]) -> list[Drawing]:
    """Gold against sqrt(KL), colors by width and by training pairs, where runs vary them.

    Args:
        groups: groups of one task.
    """
    return [drawing for kind in KINDS for drawing in _draw_kind(groups, kind)]


def _draw_kind(groups: Sequence[Group], kind: str) -> Iterator[Drawing]:
    other = next(name for name in KINDS if name != kind)
    fixed = len({_size(group, other) for group in groups if not math.isnan(_size(group, other))})
    cells: dict[Key, list[Group]] = {}
    for group in groups:
        row = _row(group, other if fixed > 1 else None)
        cells.setdefault((row, group.noise), []).append(group)
    cells = {key: mine for key, mine in cells.items() if len({_size(g, kind) for g in mine}) > 1}
    if not cells:
        return
    shown = [group for mine in cells.values() for group in mine]
    marks = order_colors(_size(group, kind) for group in shown)
    titles = {(row, noise): f"{plain(row, 48)} · {name_noise(noise)}" for row, noise in cells}
    rows = sorted({row for row, _ in cells})
    for block in split_grid(rows, noise_labels(shown), set(cells)):
        with drawing_style():
            grid = start_grid(block, cells, titles)
            for key, panel in grid.axes.items():
                draw_zero(panel)
                for group in sorted(cells[key], key=lambda one: _size(one, kind)):
                    draw_mean(panel, group, marks[_size(group, kind)], "d", "gold", band=False)
            limit_y(grid)
            finish_grid(grid, cells, "d", GOLD_AXIS)
            keys = [line_key(f"{KINDS[kind]} {size:g}", mark) for size, mark in marks.items()]
            put_legend(grid.figure, keys)
        yield Drawing(
            f"sizes_{kind}{block.suffix}",
            f"Gold by the proxy's {KINDS[kind]}",
            f"Means over seeds; dark to light: few to many, on a logarithmic scale of "
            f"{KINDS[kind]}. Intervals are in the tables.",
            grid.figure,
        )


def order_colors(sizes: Iterable[float]) -> dict[float, Mark]:
    """A color for each size, from dark to light in the order of their logarithms."""
    ordered = sorted({size for size in sizes if not math.isnan(size)})
    scale = mpl.colormaps["viridis"]
    low, high = math.log(max(ordered[0], 1e-9)), math.log(max(ordered[-1], 1e-9))
    return {
        size: Mark(
            to_hex(scale(LIGHTEST * (math.log(max(size, 1e-9)) - low) / ((high - low) or 1.0))),
            "o",
        )
        for size in ordered
    }


def _size(group: Group, kind: str) -> float:
    return float(getattr(group.size, kind))


def _row(group: Group, other: str | None) -> str:
    """A panel's name: the method, the proxy, and the other size where it tells panels apart."""
    fixed = _size(group, other) if other else math.nan
    told = "" if other is None or math.isnan(fixed) else f", {KINDS[other]} {fixed:g}"
    return f"{group.titled} · {group.size.proxy}{told}"
