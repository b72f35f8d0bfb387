"""Differences between two methods, paired by whatever both of them share, with p values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from overopt.stats.arrays import check_finite, check_same_shape
from overopt.stats.crossed import Crossed, around, combine_df, crossed_interval
from overopt.stats.world_means import OverWorlds, over_worlds

Pairing = Literal["nothing", "prompts", "seeds", "seeds and prompts"]
"""What two methods are paired by, the weakest first."""

_WEAKEST: tuple[Pairing, ...] = ("nothing", "prompts", "seeds", "seeds and prompts")


class Paired(NamedTuple):
    """The difference of two methods in one world.

    Attributes:
        interval: mean of x - y with its 95 % interval; no bounds where nothing tells its error.
        by: what it was taken within.
    """

    interval: Crossed
    by: Pairing


class Difference(NamedTuple):
    """A mean difference between two methods with its two-sided t test.

    Attributes:
        mean: x - y; of several worlds, the mean of their means.
        low: lower bound of the 95 % interval; None where there is no standard error.
        high: upper bound, likewise.
        se: standard error of the mean, likewise.
        df: degrees of freedom, likewise; infinite where the error is 0.
        p: two-sided p value of no difference, not corrected for other comparisons; None without a
            standard error, and where all differences are one and the same number other than 0,
            where the t distribution has nothing to say.
        paired_by: what it was taken within; of several worlds, the weakest.
        n_seeds: seeds behind it, of all worlds together.
        n_worlds: worlds behind it.
        across_worlds: whether worlds are taken for random; if not, it holds for these worlds only.
    """

    mean: float
    low: float | None
    high: float | None
    se: float | None
    df: float | None
    p: float | None
    paired_by: Pairing
    n_seeds: int
    n_worlds: int
    across_worlds: bool


def paired_by_prompt(x_SB: ArrayLike, y_SB: ArrayLike) -> Paired:
    """The difference of two tables of seeds by prompts, both of which are random and crossed.

    What a seed or a prompt does alike to both methods cancels. The standard error and its degrees
    of freedom are those of `overopt.stats.crossed.crossed_interval` of x - y; with one seed it is
    over prompts only.

    Raises:
        ValueError: if shapes differ, or a value is NaN or infinite.
    """
    x, y = check_finite(x_SB, "x"), check_finite(y_SB, "y")
    check_same_shape(x, y, "x and y")
    found = crossed_interval(x - y)
    return Paired(found, "seeds and prompts" if found.n_seeds > 1 else "prompts")


def paired_by_seed(x_S: ArrayLike, y_S: ArrayLike) -> Paired:
    """The difference of two methods seed by seed: a paired t test with S - 1 degrees of freedom.

    The prompts are held as they are: it says nothing of other prompts. One seed gives no test.

    Raises:
        ValueError: if shapes differ, or a value is NaN or infinite.

    Reference:
        Student, "The Probable Error of a Mean", 1908.
    """
    x, y = check_finite(x_S, "x"), check_finite(y_S, "y")
    check_same_shape(x, y, "x and y")
    return Paired(over_seeds(x - y), "seeds")


def over_seeds(value_S: ArrayLike) -> Crossed:
    """A mean over seeds with a t interval of S - 1 degrees of freedom; none with one seed."""
    value = check_finite(value_S, "values")
    n_seeds, mean = value.size, float(value.mean())
    if n_seeds == 1:
        return Crossed(mean, None, None, None, None, 1, 1, 0.95, "seeds")
    se = float(value.std(ddof=1) / np.sqrt(n_seeds))
    return around(mean, se, n_seeds - 1, (n_seeds, 1))


def not_paired(x: Crossed, y: Crossed) -> Paired:
    """The difference of two means of which only the intervals are known.

    SE^2 = SE_x^2 + SE_y^2 with Satterthwaite's degrees of freedom, as if the two were independent.
    They share seeds and prompts, which do alike to both, so that the interval is as a rule too
    wide.

    Raises:
        ValueError: if the seeds behind the two are not equally many.
    """
    if x.n_seeds != y.n_seeds:
        raise ValueError(f"means over {x.n_seeds} and {y.n_seeds} seeds do not compare")
    mean = x.mean - y.mean
    parts = [(one.se**2, one.df) for one in (x, y) if one.se is not None and one.df is not None]
    if len(parts) < 2:
        return Paired(x._replace(mean=mean, low=None, high=None, se=None, df=None), "nothing")
    se = float(np.sqrt(sum(variance for variance, _ in parts)))
    found = around(mean, se, combine_df(parts), (x.n_seeds, max(x.n_prompts, 2)))
    return Paired(found, "nothing")


def difference(worlds: Sequence[Paired]) -> Difference:
    """The difference as a verdict reads it; every world weighs the same.

    In one world it is the world's own. From three on, the world means are the unit, for any world
    of the kind; with two, t_1 says nothing and the interval is for these worlds only
    (`overopt.stats.world_means`).

    Raises:
        ValueError: if there is no world.
    """
    if len(worlds) == 1:
        return within_worlds(worlds)
    means = over_worlds([one.interval for one in worlds])
    if means.across.low is None:
        return within_worlds(worlds)
    across = means.across
    return _difference(worlds, means, across.low, across.high, across.se, across.n - 1.0)._replace(
        across_worlds=True
    )


def within_worlds(worlds: Sequence[Paired]) -> Difference:
    """The difference in these worlds, which are held as they are.

    Raises:
        ValueError: if there is no world.
    """
    means = over_worlds([one.interval for one in worlds])
    within = means.within
    return _difference(worlds, means, within.low, within.high, within.se, means.within_df)


def p_value(mean: float, se: float, df: float) -> float | None:
    """Two-sided p value of a mean of 0; None for an error of 0 and a mean that is not 0."""
    if se == 0.0:
        return 1.0 if mean == 0.0 else None
    return float(2.0 * stdtr(df, -abs(mean / se)))


def _difference(
    worlds: Sequence[Paired],
    means: OverWorlds,
    low: float | None,
    high: float | None,
    se: float | None,
    df: float | None,
) -> Difference:
    mean = means.within.mean
    assert mean is not None, "there is at least one world"
    known = se is not None and df is not None
    return Difference(
        mean,
        low,
        high,
        se if known else None,
        df if known else None,
        p_value(mean, se, df) if se is not None and df is not None else None,
        min((one.by for one in worlds), key=_WEAKEST.index),
        means.n_seeds,
        len(worlds),
        False,
    )
