"""The mean that a claim is judged by, over seeds, and over prompts and worlds where there are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from overopt.stats.arrays import Floats
from overopt.stats.crossed import crossed_interval, crossed_parts, told
from overopt.stats.error_parts import ErrorPart
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
    tables = [np.asarray(table, np.float64) for _, table in sorted(values.items())]
    if not tables:
        raise ValueError("there is no world")
    crossed = [crossed_interval(table) for table in tables]
    n_seeds = min(len(table) for table in tables)
    if len(crossed) == 1:
        parts = _parts(tables[0])
        return Estimate(crossed[0].mean, parts, n_seeds, 1, crossed[0].over if parts else "nothing")
    across = over_worlds(crossed).across
    n = len(crossed)
    mean = sum(one.mean for one in crossed) / n
    if across.se is not None:
        means = np.array([one.mean for one in crossed])
        return Estimate(
            mean, (ErrorPart(told(across.se**2 * n, means) / n, n - 1),), n_seeds, n, "worlds"
        )
    each = [_parts(table) for table in tables]
    if not all(each):
        return Estimate(mean, (), n_seeds, n, "nothing")
    scaled = tuple(ErrorPart(part.variance / n**2, part.df) for parts in each for part in parts)
    return Estimate(mean, scaled, n_seeds, n, "these worlds")


def _parts(table_SB: Floats) -> tuple[ErrorPart, ...]:
    """Of the squared standard error of a table's mean; none of a single number."""
    if table_SB.size == 1:
        return ()
    return crossed_parts(table_SB if table_SB.shape[1] > 1 else table_SB.T)
