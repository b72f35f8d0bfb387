"""How curves are drawn in a panel: means and bands, single seeds, peak and end, missed budgets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from overopt.report.figures.kl_axis import Scale, to_x
from overopt.report.figures.style import INK, Mark, plain
from overopt.report.group import BudgetMean, Group, Quantity
from overopt.stats.arrays import Floats


def draw_seeds(panel: Axes, group: Group, mark: Mark, scale: Scale, quantity: Quantity) -> None:
    """Every measured point of every seed, faint."""
    for seed in group.seeds:
        curve = seed.measured(quantity)
        shown = curve.kl_nats_K > 0
        panel.plot(
            to_x(curve.kl_nats_K[shown], scale),
            curve.score(quantity)[shown],
            linestyle="none",
            marker=mark.marker,
            markersize=2.6,
            markeredgewidth=0,
            color=mark.color,
            alpha=0.4,
            zorder=2,
        )


def draw_mean(
    panel: Axes,
    group: Group,
    mark: Mark,
    scale: Scale,
    quantity: Quantity,
    *,
    band: bool = True,
    line: str = "-",
    markers: bool = True,
    thin: bool = False,
) -> None:
    """Mean over seeds with its band; hollow, dotted and counted where seeds are missing.

    A ``thin`` line is a background: without the worlds that it is a mean over.
    """
    for part in () if thin else group.parts:
        _draw_world(panel, part, mark, scale, quantity, line)
    means = [one for one in group.means[quantity] if scale != "kl" or one.kl_nats > 0]
    if not means:
        return
    x = to_x(np.array([one.kl_nats for one in means]), scale)
    score = np.array([one.score.mean for one in means], dtype=np.float64)
    whole = np.array([group.is_whole(one) for one in means])
    width, level = (0.6, 2) if thin else (1.4, 4)
    first = _line_from(group, means)
    for stretch, is_whole in _stretches(whole, first):
        panel.plot(
            x[stretch],
            score[stretch],
            line if is_whole else ":",
            color=mark.color,
            linewidth=width if is_whole else min(width, 1.2),
            zorder=level,
        )
    if markers:
        for some, face in ((whole, mark.color), (~whole, "none")):
            panel.plot(
                x[some],
                score[some],
                linestyle="none",
                marker=mark.marker,
                markersize=4,
                markerfacecolor=face,
                markeredgecolor=mark.color,
                markeredgewidth=0.9,
                zorder=5,
            )
        _tell_counts(panel, group, x, means)
    # one seed of several has an interval over prompts only, which is no part of this band
    one_run = group.n_seeds == 1
    bounded = [
        i
        for i, one in enumerate(means)
        if i >= first and one.score.low is not None and (one_run or one.score.n_seeds > 1)
    ]
    if band and bounded:
        low = np.array([means[i].score.low for i in bounded], dtype=np.float64)
        high = np.array([means[i].score.high for i in bounded], dtype=np.float64)
        panel.fill_between(x[bounded], low, high, color=mark.color, alpha=0.16, linewidth=0)


def _draw_world(
    panel: Axes, group: Group, mark: Mark, scale: Scale, quantity: Quantity, line: str
) -> None:
    """The mean of one world of several, thin."""
    means = [one for one in group.means[quantity] if scale != "kl" or one.kl_nats > 0]
    x = to_x(np.array([one.kl_nats for one in means]), scale)
    score = [one.score.mean for one in means]
    first = _line_from(group, means)
    panel.plot(x[first:], score[first:], line, color=mark.color, linewidth=0.7, alpha=0.7, zorder=3)


def _stretches(whole: NDArray[np.bool_], first: int) -> Iterator[tuple[slice, bool]]:
    """Neighboring means from a first one on, cut where a line between two becomes whole or not.

    A line is whole between two means over all seeds. One mean alone is a stretch, too.
    """
    between = whole[first:-1] & whole[first + 1 :]
    cuts = [0, *(np.flatnonzero(np.diff(between)) + 1).tolist(), len(between)]
    for low, high in pairwise(cuts):
        is_whole = bool(between[low]) if len(between) else bool(whole[-1])
        yield slice(first + low, first + high + 1), is_whole


def _line_from(group: Group, means: Sequence[BudgetMean]) -> int:
    """The first mean that a line joins: not the initial policy, where all seeds leapt from it."""
    return 1 if group.leaps and means and means[0].kl_nats == 0.0 else 0


def _tell_counts(panel: Axes, group: Group, x: Floats, means: Sequence[BudgetMean]) -> None:
    """How many of the seeds each mean is over, where it is not all and the number changes."""
    told = group.n_seeds
    for place, one in zip(x, means, strict=True):
        if one.score.n_seeds != told:
            told = one.score.n_seeds
            panel.annotate(
                f"{told}/{group.n_seeds}",
                xy=(float(place), one.score.mean),
                xytext=(4.0, 3.0),
                textcoords="offset points",
                fontsize=6.5,
                color=INK,
                zorder=7,
            )


def name_line(panel: Axes, group: Group, name: str, scale: Scale) -> None:
    """A curve's name at its last mean."""
    means = group.means["gold"]
    if means:
        x = float(to_x(np.array([means[-1].kl_nats]), scale)[0])
        panel.annotate(
            plain(name, 16),
            xy=(x, means[-1].score.mean),
            xytext=(-2.0, 4.0),
            textcoords="offset points",
            ha="right",
            fontsize=7,
            color=INK,
            zorder=6,
        )


def draw_places(panel: Axes, group: Group, mark: Mark, scale: Scale) -> None:
    """Peak and end of gold, with their intervals, as every table has them."""
    places = group.places
    for place, sign, size in ((places.peak, "*", 9.0), (places.end, "|", 13.0)):
        if place is None:
            continue
        x = float(to_x(np.array([place.kl_nats]), scale)[0])
        gold = place.gold
        panel.plot([x], [gold.mean], linestyle="none", marker=sign, markersize=size,
                   markerfacecolor=mark.color, markeredgecolor=INK, zorder=6,
                   markeredgewidth=0.7 if sign == "*" else 1.6)  # fmt: skip
        if gold.low is not None and gold.high is not None:
            panel.vlines(x, gold.low, gold.high, color=mark.color, linewidth=1.1, zorder=3)


def draw_rug(panel: Axes, group: Group, mark: Mark, scale: Scale, level: int) -> None:
    """Budgets out of reach, at the foot of the panel: a cross where no seed got there."""
    for unreached in group.unreached:
        all_seeds = unreached.n_seeds >= group.n_seeds
        panel.plot(
            to_x(np.array([unreached.kl_target_nats]), scale),
            [0.03 + 0.04 * level],
            linestyle="none",
            marker="x" if all_seeds else "4",
            markersize=3.6 if all_seeds else 5.5,
            markeredgewidth=0.9,
            color=mark.color,
            transform=panel.get_xaxis_transform(),
            zorder=3,
        )
