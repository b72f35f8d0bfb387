"""Means over worlds: what holds in any world of the kind, and what holds in those that were run.

Each world has its own seeds and prompts. A reader who asks about another world needs the spread of
the world means; one who asks about these worlds needs the spread within them. The second interval
is often the narrower one, so both stand side by side under their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overopt.stats.crossed import Crossed, combine_df
from overopt.stats.intervals import Interval, t_interval
from overopt.stats.students_t import t_half_width

ACROSS_FROM = 3
"""Fewer worlds give no interval across worlds: with two, t_1 = 12.7 says nothing."""


class OverWorlds(NamedTuple):
    """A mean over worlds with its two intervals.

    Attributes:
        across: mean of the world means with a t interval over worlds (W - 1 degrees of freedom),
            for any world of the kind; no bounds with fewer than 3 worlds.
        within: the same mean with a t interval for these worlds only, from the crossed standard
            error within each; no bounds where a world has none.
        n_seeds: seeds in all worlds together.
    """

    across: Interval
    within: Interval
    n_seeds: int

    @property
    def decisive(self) -> Interval:
        """The interval that a verdict reads: across worlds, or within them where there are few."""
        return self.within if self.across.low is None else self.across


def over_worlds(worlds: Sequence[Crossed]) -> OverWorlds:
    """Combine the means of several worlds, in which every world weighs the same.

    across: SE^2 = sum_w (m_w - m)^2 / (W (W - 1)), W - 1 degrees of freedom.
    within: SE^2 = sum_w SE_w^2 / W^2, df = (sum_w SE_w^2)^2 / sum_w (SE_w^4 / df_w).

    Args:
        worlds: the mean of each world; all of one level.

    Raises:
        ValueError: if there is no world, or levels differ.
    """
    levels = {one.level for one in worlds}
    if len(levels) != 1:
        raise ValueError("means over worlds need at least one world, and all of one level")
    (level,) = levels
    across = t_interval([one.mean for one in worlds], level)
    if across.n < ACROSS_FROM:
        across = across._replace(low=None, high=None, se=None)
    return OverWorlds(across, _within(worlds, level), sum(one.n_seeds for one in worlds))


def _within(worlds: Sequence[Crossed], level: float) -> Interval:
    """The mean of the world means, with the worlds held as they are."""
    mean = float(np.mean([one.mean for one in worlds]))
    n = len(worlds)
    exploratory = any(one.exploratory for one in worlds)
    known = [(one.se**2, one.df) for one in worlds if one.se is not None and one.df is not None]
    if len(known) < n:
        return Interval(mean, None, None, None, n, level, exploratory)
    se = float(np.sqrt(sum(variance for variance, _ in known))) / n
    half = t_half_width(se, combine_df(known), level)
    return Interval(mean, mean - half, mean + half, se, n, level, exploratory)
