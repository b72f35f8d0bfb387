"""One figure of several methods, for people who work in Python: gold or proxy along KL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import pandas as pd
from matplotlib.figure import Figure

from overopt.errors import UserError
from overopt.report.across_worlds import across_worlds
from overopt.report.figures.kl_axis import GOLD_AXIS, Scale
from overopt.report.figures.layout import finish_grid, sign_keys
from overopt.report.figures.marks import draw_mean, draw_places, draw_rug, draw_seeds
from overopt.report.figures.panels import Grid, Key, draw_zero, limit_y, line_key, wrap_columns
from overopt.report.figures.style import assign_marks, drawing_style, plain
from overopt.report.group import Group, Quantity
from overopt.report.groups import group_points, group_results
from overopt.report.noise_labels import name_noise, noise_order
from overopt.report.stored.frame import Places, paths_of
from overopt.report.stored.marking import mark_gold
from overopt.report.stored.points import add_labels, check_points
from overopt.report.stored.reading import read_results
from overopt.report.stored.schema import LEVELS
from overopt.spec.columns import POINT_COLUMNS

Names = str | Sequence[str] | None
_SCALES: dict[str, Scale] = {"sqrt": "d", "log": "kl"}
_MOST_PANELS = 24
_PER_PANEL = 5
"""Most curves that share one panel and are still told apart."""
_WIDTH_IN, _HEIGHT_IN, _LEGEND_IN, _LINE_IN = 4.2, 3.2, 2.6, 0.19


def plot_curves(
    results: pd.DataFrame | Places,
    *,
    quantity: Quantity = "gold",
    kl: Literal["sqrt", "log"] = "sqrt",
    method: Names = None,
    proxy: Names = None,
    noise: Names = None,
    seeds: bool = True,
) -> Figure:
    """Gold or proxy reward along KL: a panel per task, proxy, noise and set of worlds.

    A line per method is the mean over seeds, its band the 95 % interval; star and bar are peak and
    end. A panel of more than five lines has no bands, single seeds or marks of budgets out of
    reach.
    From folders, intervals, peaks and ends are those that were stored with the runs, as in the
    report. A table holds points only: its intervals come from each seed's standard error.

    Args:
        results: a run folder, a folder above some, a list of either; or a table of
            ``load_results``, whole or some of its rows.
        quantity: ``gold`` or ``proxy``, in SDs of the initial policy.
        kl: the axis: ``sqrt`` of KL in nats, as in the published fits, or KL on a ``log`` axis.
        method, proxy, noise: only these, a name or several.
        seeds: also draw single seeds, faint, in panels of up to five lines.

    Returns:
        A figure to show or save, such as ``plot_curves("results").savefig("curves.pdf")``.

    Raises:
        UserError: there is nothing to draw, or more than one figure holds.
    """
    if quantity not in get_args(Quantity):
        raise UserError(f"quantity = {quantity!r}: choose {' or '.join(get_args(Quantity))}.")
    if kl not in _SCALES:
        raise UserError(f"kl = {kl!r}: choose {' or '.join(_SCALES)}.")
    groups = _read(results)
    wanted = {"method": method, "proxy": proxy, "noise": noise}
    for part, names in wanted.items():
        groups = _only(groups, part, names)
    return _draw(across_worlds(groups), quantity, _SCALES[kl], seeds)


def _read(results: pd.DataFrame | Places) -> list[Group]:
    if not isinstance(results, pd.DataFrame):
        return group_results(mark_gold(read_results(paths_of(results))))
    lacking = [name for name in POINT_COLUMNS if name not in results.columns]
    if lacking:
        raise UserError(
            f"The table lacks {', '.join(lacking)}; give one of load_results, or some of its rows."
        )
    levels = [name for name in LEVELS if name in results.columns]
    points = check_points(results[[*levels, *POINT_COLUMNS]], "the table")
    if "version" in results.columns:
        points["version"] = results["version"].to_numpy()
    return group_points(add_labels(points))


def _only(groups: Sequence[Group], part: str, names: Names) -> list[Group]:
    """The groups of some methods, proxies or noises; all where no name is given."""
    if names is None:
        return list(groups)
    asked = [names] if isinstance(names, str) else list(names)
    # a label names the engine or the width as well where these differ
    heads = {str(getattr(group, part)).partition(", ")[0] for group in groups}
    for name in asked:
        if str(name) not in heads:
            known = ", ".join(sorted(heads)) or "none"
            raise UserError(f"{part} = {name!r}: the results hold no such {part}, but {known}.")
    kept = {str(name) for name in asked}
    return [group for group in groups if str(getattr(group, part)).partition(", ")[0] in kept]


def _draw(groups: Sequence[Group], quantity: Quantity, scale: Scale, seeds: bool) -> Figure:
    cells: dict[Key, list[Group]] = {}
    titles: dict[Key, str] = {}
    several = len({group.task for group in groups}) > 1
    for group in sorted(groups, key=_order):
        key = (f"{group.task}\n{group.proxy}\n{group.where}", group.noise)
        cells.setdefault(key, []).append(group)
        parts = [plain(group.task)] if several else []
        parts += [plain(group.proxy), name_noise(group.noise), group.where]
        titles[key] = " · ".join(filter(None, parts))
    if len(cells) > _MOST_PANELS:
        raise UserError(
            f"One figure holds at most {_MOST_PANELS} panels, and these results make {len(cells)}; "
            "choose some with proxy and noise."
        )
    marks = assign_marks([group.method for group in groups])
    with drawing_style():
        grid = _panels(titles, len(marks))
        for key, panel in grid.axes.items():
            draw_zero(panel)
            crowded = len(cells[key]) > _PER_PANEL
            for level, group in enumerate(cells[key]):
                mark = marks[group.method]
                if seeds and not crowded:
                    draw_seeds(panel, group, mark, scale, quantity)
                draw_mean(panel, group, mark, scale, quantity, band=not crowded)
                if quantity == "gold":
                    draw_places(panel, group, mark, scale)
                if quantity == "gold" and not crowded:
                    draw_rug(panel, group, mark, scale, level)
        fewest = min(len(cells[key]) for key in cells)
        limit_y(grid, 0.04 * min(fewest, _PER_PANEL))
        axis = GOLD_AXIS if quantity == "gold" else GOLD_AXIS.replace("gold", "proxy")
        shown = finish_grid(grid, cells, scale, axis)
        keys = [line_key(name, mark) for name, mark in sorted(marks.items())]
        signs = sign_keys(shown) if quantity == "gold" else []
        grid.figure.legend(handles=[*keys, *signs], loc="outside right upper")
    return grid.figure


def _order(group: Group) -> tuple[object, ...]:
    return group.task, group.proxy, group.where, noise_order(group.noise), group.method


def _panels(titles: Mapping[Key, str], n_lines: int) -> Grid:
    """Empty panels side by side, large enough for many lines, with room for a legend beside."""
    n_columns = wrap_columns(len(titles))
    n_rows = -(-len(titles) // n_columns)
    height_in = max(_HEIGHT_IN * n_rows + 0.3, _LINE_IN * (n_lines + 6))
    size = (_WIDTH_IN * n_columns + _LEGEND_IN, height_in)
    figure = Figure(figsize=size, layout="constrained")
    array = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False).ravel()
    for panel in array[len(titles) :]:
        panel.set_axis_off()
    axes = dict(zip(titles, array, strict=False))
    for key, panel in axes.items():
        panel.set_title(titles[key], loc="left")
        panel.margins(x=0.03)
    return Grid(figure, axes)
