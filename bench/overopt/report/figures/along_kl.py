"""The figures of a report: gold along KL, gap to the proxy, fits, residuals, fronts, estimators.

Every figure is a grid of small panels with few curves in each: methods in rows, noise levels (or
proxies) in columns. A grid too large for one figure is cut into several. Of a grid with holes, only
the panels that show something are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from overopt.report.figures.kl_axis import GOLD_AXIS, Scale
from overopt.report.figures.layout import (
    by_method_and_proxy,
    by_noise,
    finish_grid,
    noise_labels,
    rows_and_columns,
    shown_in,
    sign_keys,
    start_grid,
    unique,
)
from overopt.report.figures.marks import draw_mean, draw_places, draw_rug, draw_seeds
from overopt.report.figures.panels import (
    draw_zero,
    limit_y,
    line_key,
    put_legend,
    split_grid,
)
from overopt.report.figures.style import (
    INK,
    PER_PANEL,
    Drawing,
    Mark,
    assign_marks,
    drawing_style,
)
from overopt.report.group import Group
from overopt.report.noise_labels import name_noise
from overopt.stats.pools.fronts import pareto_front

ORACLE_ESTIMATORS = {
    "exact": "exact",
    "pool": "from the pool of the initial policy",
    "annealed": "annealed beyond it, a lower bound where it mixes slowly",
}
"""Where the oracle's values may come from, in words."""
SCORE_AXIS = "score (SDs of the initial policy)"
READING = (
    "Line: mean over seeds, each read at the budget between its own points; band: 95 % interval "
    "over seeds and prompts; faint points: single seeds. Of several worlds the line is the mean, "
    "its band the interval across worlds (with two, within them); thin lines are single worlds. "
    "Star and bar: peak and end as in the tables, at the KL that was achieved. Hollow markers and "
    "dotted lines: fewer seeds than were run. Bands are cut by the panel's edge."
)


def draw_gold(groups: Sequence[Group], scale: Scale) -> list[Drawing]:
    """Gold along KL: rows are methods (and sets of at most five proxies), columns noise levels.

    Args:
        groups: groups of one task.
        scale: ``"d"`` for sqrt(KL), ``"kl"`` for KL on a logarithmic axis.
    """
    marks = assign_marks([group.proxy for group in groups])
    cells, titles = by_noise(groups, lambda group: group.titled, lambda group: group.proxy)
    axis = "d = √KL" if scale == "d" else "KL"
    drawings = []
    for block in split_grid(unique(row for row, _ in cells), noise_labels(groups), shown_in(cells)):
        with drawing_style():
            grid = start_grid(block, cells, titles)
            for key, panel in grid.axes.items():
                draw_zero(panel)
                for level, group in enumerate(cells[key]):
                    draw_seeds(panel, group, marks[group.proxy], scale, "gold")
                    draw_mean(panel, group, marks[group.proxy], scale, "gold")
                    draw_places(panel, group, marks[group.proxy], scale)
                    draw_rug(panel, group, marks[group.proxy], scale, level)
            rugs = [len(cells[key]) for key in grid.axes if any(g.unreached for g in cells[key])]
            limit_y(grid, 0.04 * max(rugs, default=0))
            shown = finish_grid(grid, cells, scale, GOLD_AXIS)
            keys = [line_key(name, marks[name]) for name in unique(g.proxy for g in shown)]
            put_legend(grid.figure, keys, sign_keys(shown))
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
    """Gold and proxy together: rows are methods, columns proxies, colors noise levels."""
    noises = noise_labels(groups)[:PER_PANEL]
    marks = dict(zip(noises, assign_marks([f"{i}" for i in range(len(noises))]).values(),
                     strict=True))  # fmt: skip
    cells, titles = by_method_and_proxy(groups, noises)
    drawings = []
    for block in split_grid(*rows_and_columns(cells), shown_in(cells)):
        with drawing_style():
            grid = start_grid(block, cells, titles)
            for key, panel in grid.axes.items():
                draw_zero(panel)
                for group in cells[key]:
                    mark = marks[group.noise]
                    draw_mean(panel, group, mark, "d", "gold")
                    draw_mean(
                        panel, group, mark, "d", "proxy", band=False, line="--", markers=False
                    )
            limit_y(grid)
            shown = finish_grid(grid, cells, "d", SCORE_AXIS)
            keys = [
                line_key(f"gold, {name_noise(noise)}", marks[noise], "-")
                for noise in noise_labels(shown)
            ]
            proxy_key = Line2D([], [], color=INK, linestyle="--", linewidth=1.4)
            proxy_key.set_label("proxy, same color")
            put_legend(grid.figure, [*keys, proxy_key])
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
    marks = assign_marks([group.method for group in groups])
    cells, titles = by_noise(groups, _proxy_and_worlds, lambda group: group.method)
    drawings = []
    for block in split_grid(unique(row for row, _ in cells), noise_labels(groups), shown_in(cells)):
        with drawing_style():
            grid = start_grid(block, cells, titles)
            for key, panel in grid.axes.items():
                draw_zero(panel)
                furthest = max((g.kl_max_nats or 0.0 for g in cells[key]), default=0.0)
                for group in cells[key]:
                    _draw_steps(panel, group, marks[group.method])
                for world in sorted({world for group in cells[key] for world in group.worlds}):
                    if world in oracles:
                        _draw_oracle(panel, oracles[world], furthest)
            limit_y(grid)
            shown = finish_grid(grid, cells, "kl_sqrt", GOLD_AXIS)
            keys = [line_key(name, marks[name]) for name in unique(g.method for g in shown)]
            if any(len(oracle) for oracle in oracles.values()):
                best = Line2D([], [], color=INK, linewidth=1.1, linestyle=(0, (4, 2)))
                best.set_label("oracle front" + (" of each world" if len(oracles) > 1 else ""))
                keys.append(best)
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


def _proxy_and_worlds(group: Group) -> str:
    return f"{group.proxy}, {group.where}" if group.where else group.proxy


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
    panel.step(d_K, front.gold_K, where="post", color=mark.color, linewidth=1.1, zorder=3)
    shown = front.kl_K > 0
    panel.plot(d_K[shown], front.gold_K[shown], linestyle="none", marker=mark.marker, markersize=4,
               color=mark.color, zorder=4)  # fmt: skip


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


def _draw_oracle(panel: Axes, oracle: pd.DataFrame, furthest_nats: float) -> None:
    """The oracle front as far as the methods go."""
    near = oracle[oracle["kl_nats"].astype(float) <= max(furthest_nats, 1.0) * 1.05]
    if len(near):
        d_K = np.append(0.0, np.sqrt(near["kl_nats"].to_numpy(np.float64)))
        panel.plot(d_K, np.append(0.0, near["gold"].to_numpy(np.float64)), color=INK, linewidth=1.1,
                   linestyle=(0, (4, 2)), zorder=2)  # fmt: skip
