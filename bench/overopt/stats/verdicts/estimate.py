"""The mean that a claim is judged by, over seeds, and over prompts and worlds where there are."""

from __future__ import annotations

from collections.abc import Mapping

from overopt.stats.arrays import Floats
from overopt.stats.crossed import Crossed, crossed_interval
from overopt.stats.verdicts.evidence import Estimate
from overopt.stats.world_means import over_worlds


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
