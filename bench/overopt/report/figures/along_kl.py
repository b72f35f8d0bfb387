"""The figures of a report: gold along KL, gap to the proxy, fits, residuals, fronts, estimators.

Every figure is a grid of small panels, proxies in rows and noise levels in columns. What is to be
compared meets in one panel: the methods, or the proxies where there is one method. Of many,
those with the highest peaks are colored and the others gray. A grid too large for one figure is cut
into several. Of a grid with holes, only the panels that show something are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from overopt.report.figures.compared import GRAY, Compared, compare
from overopt.report.figures.kl_axis import GOLD_AXIS, Scale
from overopt.report.figures.layout import by_setting, finish_grid, sign_keys, start_grid, unique
from overopt.report.figures.marks import draw_mean, draw_places, draw_rug, draw_seeds, name_line
from overopt.report.figures.panels import (
    Block,
    Key,
    draw_zero,
    limit_y,
    line_key,
    put_legend,
    split_grid,
)
from overopt.report.figures.style import INK, Drawing, Mark, drawing_style
from overopt.report.group import Group
from overopt.report.noise_labels import noise_order
from overopt.stats.pools.fronts import pareto_front

ORACLE_ESTIMATORS = {
    "exact": "exact",
    "pool": "from the pool of the initial policy",
    "annealed": "annealed beyond it, a lower bound where it mixes slowly",
}
"""Where the oracle's values may come from, in words."""
NAMED = 3
"""Most gray curves of a panel that have their names at their ends."""
SCORE_AXIS = "score (SDs of the initial policy)"
READING = (
    "Line: mean over seeds, each read at the budget between its own points; band: 95 % interval "
    "over seeds and prompts; faint points: single seeds. Of several worlds the line is the mean, "
    "its band the interval across worlds (with two, within them); thin lines are single worlds. "
    "Star and bar: peak and end as in the tables, at the KL that was achieved. Hollow markers and "
    "dotted lines: fewer seeds than were run. Gray: the other methods. Bands are cut by the "
    "panel's edge; a triangle there: a curve that runs off the scale."
)


def draw_gold(groups: Sequence[Group], scale: Scale) -> list[Drawing]:
    """Gold along KL: a panel for each proxy and noise, in which all methods meet.

    Args:
        groups: groups of one task.
        scale: ``"d"`` for sqrt(KL), ``"kl"`` for KL on a logarithmic axis.
    """
    compared = compare(groups)
    cells, titles = by_setting(groups)
    axis = "d = √KL" if scale == "d" else "KL"
    drawings = []
    for block in _blocks(cells):
        with drawing_style():
            grid = start_grid(block, cells, titles)
            for key, panel in grid.axes.items():
                draw_zero(panel)
                gray = compared.gray(cells[key])
                for group in gray:
                    draw_mean(
                        panel, group, GRAY, scale, "gold", band=False, markers=False, thin=True
                    )
                    if len(gray) <= NAMED:
                        name_line(panel, group, compared.name(group), scale)
                for level, group in enumerate(compared.colored(cells[key])):
                    mark = compared.mark(group)
                    if compared.every:
                        draw_seeds(panel, group, mark, scale, "gold")
                        draw_rug(panel, group, mark, scale, level)
                    draw_mean(panel, group, mark, scale, "gold")
                    draw_places(panel, group, mark, scale)
            rugs = [len(cells[key]) for key in grid.axes if any(g.unreached for g in cells[key])]
            limit_y(grid, 0.04 * max(rugs, default=0) if compared.every else 0.0)
            shown = finish_grid(grid, cells, scale, GOLD_AXIS)
            signs = sign_keys(compared.colored(shown), rug=compared.every)
            put_legend(grid.figure, _keys(shown, compared), signs)
        start = "" if scale == "d" else " The initial policy (KL 0) is not on this axis."
        drawings.append(
            Drawing(
                f"gold_{'d' if scale == 'd' else 'kl'}{block.suffix}",
                f"Gold score against {axis}",
                f"{READING}{start} Gold is 0 for the initial policy.",
                grid.figure,
            )
        )
    return drawings


def draw_gap(groups: Sequence[Group]) -> list[Drawing]:
    """Gold and proxy together, of the methods that are colored in the first figure."""
    compared = compare(groups)
    cells, titles = by_setting(compared.colored(groups))
    drawings = []
    for block in _blocks(cells):
        with drawing_style():
            grid = start_grid(block, cells, titles)
            for key, panel in grid.axes.items():
                draw_zero(panel)
                for group in cells[key]:
                    mark = compared.mark(group)
                    draw_mean(panel, group, mark, "d", "gold")
                    draw_mean(
                        panel, group, mark, "d", "proxy", band=False, line="--", markers=False
                    )
            limit_y(grid)
            shown = finish_grid(grid, cells, "d", SCORE_AXIS)
            proxy_key = Line2D([], [], color=INK, linestyle="--", linewidth=1.4)
            proxy_key.set_label("proxy, same color")
            put_legend(grid.figure, [*_keys(shown, compared), proxy_key])
        drawings.append(
            Drawing(
                f"gap{block.suffix}",
                "Gold and proxy together",
                "Solid: gold; dashed: the proxy, both 0 for the initial policy. Where the dashed "
                "line climbs while the solid one falls, a method that optimizes the proxy is "
                "hacking it; one that does not see it is only scored by it. Means over seeds, and "
                "over worlds where there are several (thin lines: single worlds); band: 95 % "
                "interval of gold.",
                grid.figure,
            )
        )
    return drawings


def draw_front(groups: Sequence[Group], oracles: Mapping[int, pd.DataFrame]) -> list[Drawing]:
    """Pareto fronts of mean gold against KL: rows are proxies, columns noises, colors methods.

    Args:
        groups: groups of one task.
        oracles: the task's oracle front by the seed of the world; may be empty. A panel shows those
            of its own worlds.
    """
    compared = compare(groups)
    cells, titles = by_setting(groups)
    drawings = []
    for block in _blocks(cells):
        with drawing_style():
            grid = start_grid(block, cells, titles)
            best = 0.0
            for key, panel in grid.axes.items():
                draw_zero(panel)
                furthest = max((g.kl_max_nats or 0.0 for g in cells[key]), default=0.0)
                for group in cells[key]:
                    _draw_steps(panel, group, compared.mark(group))
                for world in sorted({world for group in cells[key] for world in group.worlds}):
                    if world in oracles:
                        best = max(best, _draw_oracle(panel, oracles[world], furthest))
            limit_y(grid, least=(0.0, best))
            shown = finish_grid(grid, cells, "kl_sqrt", GOLD_AXIS)
            keys: list[Artist] = [*_keys(shown, compared)]
            if any(len(oracle) for oracle in oracles.values()):
                line = Line2D([], [], color=INK, linewidth=1.1, linestyle=(0, (4, 2)))
                line.set_label("oracle front" + (" of each world" if len(oracles) > 1 else ""))
                keys.append(line)
            put_legend(grid.figure, keys)
        drawings.append(
            Drawing(
                f"front{block.suffix}",
                "Pareto fronts of gold against KL",
                "Steps: means over all measured seeds that no other point of the same method "
                "beats in KL and gold at once, up to the last one. Oracle: best gold of any policy "
                "at that KL, from the initial policy tilted by gold. "
                f"{_basis(list(oracles.values()))}KL on a square-root axis, labeled in nats.",
                grid.figure,
            )
        )
    return drawings


def _blocks(cells: Mapping[Key, Sequence[Group]]) -> Iterator[Block]:
    """The panels that show anything, cut into figures; columns by amount of noise."""
    rows = unique(row for row, _ in cells)
    columns = sorted({column for _, column in cells}, key=noise_order)
    return split_grid(rows, columns, {key for key, groups in cells.items() if groups})


def _keys(shown: Sequence[Group], compared: Compared) -> list[Line2D]:
    """Legend entries of what is shown: the colored by name, the others counted."""
    names = unique(compared.name(group) for group in shown)
    keys = [line_key(name, compared.marks[name]) for name in names if name in compared.marks]
    others = len(names) - len(keys)
    if others:
        key = Line2D([], [], color=GRAY.color, linewidth=0.8)
        key.set_label(f"{others} other{'' if others == 1 else 's'}")
        keys.append(key)
    return keys


def _draw_steps(panel: Axes, group: Group, mark: Mark) -> None:
    """The front of a group's mean curve, as far as all its seeds go, as a staircase."""
    means = [
        (one.kl_nats, one.score.mean)
        for one in group.means["gold"]
        if one.score.n_seeds == len(group.seeds)
    ]
    if not means:
        return
    front = pareto_front([kl_nats for kl_nats, _ in means], [gold for _, gold in means])
    d_K = np.sqrt(front.kl_K)
    width, level = (1.1, 3) if mark.marker else (0.6, 2)
    panel.step(d_K, front.gold_K, where="post", color=mark.color, linewidth=width, zorder=level)
    shown = front.kl_K > 0
    if mark.marker:
        panel.plot(d_K[shown], front.gold_K[shown], linestyle="none", marker=mark.marker,
                   markersize=4, color=mark.color, zorder=4)  # fmt: skip


def _basis(oracles: Sequence[pd.DataFrame]) -> str:
    """What the values of the oracle come from, and how far."""
    points = pd.concat([oracle for oracle in oracles if len(oracle)] or [pd.DataFrame()])
    told = []
    for name, words in ORACLE_ESTIMATORS.items():
        mine = points[points["estimator"] == name] if len(points) else points
        if len(mine):
            words += (
                f", at least {mine['ess'].min():.0f} effective samples" if name == "pool" else ""
            )
            told.append(f"up to {mine['kl_nats'].max():g} nats {words}")
    return f"It is {'; '.join(told)}. " if told else ""


def _draw_oracle(panel: Axes, oracle: pd.DataFrame, furthest_nats: float) -> float:
    """The oracle front as far as the methods go; returns its highest gold there, SDs."""
    near = oracle[oracle["kl_nats"].astype(float) <= max(furthest_nats, 1.0) * 1.05]
    if len(near):
        d_K = np.append(0.0, np.sqrt(near["kl_nats"].to_numpy(np.float64)))
        gold_K = np.append(0.0, near["gold"].to_numpy(np.float64))
        panel.plot(d_K, gold_K, color=INK, linewidth=1.1, linestyle=(0, (4, 2)), zorder=2)
        return float(gold_K.max())
    return 0.0
