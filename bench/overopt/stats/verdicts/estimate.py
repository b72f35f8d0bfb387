"""The one number that a claim is judged by: a mean over seeds, and prompts where they are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scipy.special import stdtr

from overopt.stats.arrays import Floats
from overopt.stats.crossed import Crossed, crossed_interval
from overopt.stats.students_t import EXPLORATORY_BELOW, t_half_width
from overopt.stats.world_means import over_worlds

LEVEL = 0.95
ALPHA = 1.0 - LEVEL


class Estimate(NamedTuple):
    """A mean with what a t test of it needs.

    Attributes:
        mean: mean over seeds, and over prompts and worlds where there are several.
        se: its standard error; None with one seed and no prompts.
        df: degrees of freedom; None likewise.
        n_seeds: seeds in the world that has the fewest.
        n_worlds: worlds.
        over: what the standard error takes for random.
    """

    mean: float
    se: float | None
    df: float | None
    n_seeds: int
    n_worlds: int
    over: str

    @property
    def exploratory(self) -> bool:
        """Whether fewer than 5 seeds stand behind it."""
        return self.n_seeds < EXPLORATORY_BELOW

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The 95 % interval; None where there is none."""
        if self.se is None or self.df is None:
            return None
        half = t_half_width(self.se, self.df, LEVEL)
        return self.mean - half, self.mean + half

    def flipped(self) -> Estimate:
        """Of the negative quantity."""
        return self._replace(mean=-self.mean)

    def p_above(self, bound: float) -> float:
        """Twice the one-sided p value of "the mean is above the bound", at most 1.

        At most 5 % exactly where the 95 % interval lies above the bound. 1 where there is no
        standard error: nothing is shown by a single number.
        """
        if self.se is None or self.df is None:
            return 1.0
        if self.se == 0.0:
            return 0.0 if self.mean > bound else 1.0
        return min(1.0, 2.0 * float(stdtr(self.df, (bound - self.mean) / self.se)))

    def p_below(self, bound: float) -> float:
        """The same of "the mean is below the bound"."""
        return self.flipped().p_above(-bound)


def estimate(values: Mapping[int, Floats]) -> Estimate:
    """The mean of tables of seeds by prompts, one for each world.

    In one world, seeds and prompts are crossed and both random (`overopt.stats.crossed`); with one
    column only seeds are. Over worlds as `overopt.stats.world_means.over_worlds` decides: across
    worlds from three on, within these worlds with two.

    Args:
        values: by world, shape (S, B); a statistic that is known for whole seeds has B = 1.

    Raises:
        ValueError: there is no world, or a value is NaN or infinite.
    """
    crossed = {world: crossed_interval(table) for world, table in sorted(values.items())}
    n_seeds = min((len(table) for table in values.values()), default=0)
    if not crossed:
        raise ValueError("there is no world")
    if len(crossed) == 1:
        (one,) = crossed.values()
        usable = one.n_seeds > 1 or one.n_prompts > 1
        se, df = (one.se, one.df) if usable else (None, None)
        return Estimate(one.mean, se, df, n_seeds, 1, one.over if usable else "nothing")
    return _over_worlds(list(crossed.values()), n_seeds)


def _over_worlds(worlds: list[Crossed], n_seeds: int) -> Estimate:
    found = over_worlds(worlds)
    if found.across.se is not None:
        n = len(worlds)
        return Estimate(found.across.mean or 0.0, found.across.se, n - 1, n_seeds, n, "worlds")
    known = [(one.se, one.df) for one in worlds if one.se is not None and one.df is not None]
    mean = sum(one.mean for one in worlds) / len(worlds)
    if len(known) < len(worlds) or found.within.se is None:
        return Estimate(mean, None, None, n_seeds, len(worlds), "nothing")
    total = sum(se**2 for se, _ in known)
    weight = sum(se**4 / df for se, df in known)
    df = total**2 / weight if weight > 0.0 else float("inf")
    return Estimate(mean, found.within.se, df, n_seeds, len(worlds), "these worlds")
