"""Differences between two methods, paired by whatever both of them share, with p values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import check_finite, check_same_shape
from overopt.stats.comparisons.parts import WEAKEST, Difference, Paired, Pairing
from overopt.stats.crossed import Crossed, crossed_parts, told
from overopt.stats.error_parts import (
    ErrorPart,
    half_width,
    p_value,
    standard_error,
)
from overopt.stats.world_means import ACROSS_FROM

INTERVAL_ALPHA = 0.05
"""Intervals of single differences cover with 95 %."""


def paired_by_prompt(x_SB: ArrayLike, y_SB: ArrayLike) -> Paired:
    """The difference of two tables of seeds by prompts, both of which are random and crossed.

    What a seed or a prompt does alike to both methods cancels. The error has a part of the seeds
    and one of the prompts (`crossed_parts`); with one seed it is over prompts only.

    Raises:
        ValueError: if shapes differ, there are fewer than 2 prompts, or a value is NaN or infinite.
    """
    x, y = check_finite(x_SB, "x"), check_finite(y_SB, "y")
    check_same_shape(x, y, "x and y")
    if x.ndim != 2 or x.shape[1] < 2:
        raise ValueError(f"x must have shape (seeds, at least 2 prompts), got {x.shape}")
    by: Pairing = "seeds and prompts" if len(x) > 1 else "prompts"
    return Paired(float((x - y).mean()), crossed_parts(x - y), by, len(x))


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
    apart = x - y
    mean = float(apart.sum()) / x.size
    if x.size == 1:
        return Paired(mean, (), "seeds", 1)
    off = apart - mean
    # the difference of large numbers is rounded as they are
    variance = told(float(off @ off) / (x.size - 1), np.concatenate([x, y]))
    return Paired(mean, (ErrorPart(variance / x.size, x.size - 1),), "seeds", x.size)


def not_paired(x: Crossed, y: Crossed) -> Paired:
    """The difference of two means of which only the standard errors are known.

    SE^2 = SE_x^2 + SE_y^2, as if the two were independent. They share seeds and prompts, which do
    alike to both, so that it is as a rule too wide. What part of each error the seeds have is not
    known, so that all of it has the degrees of freedom of the seeds, or of the prompts where there
    is one seed.

    Raises:
        ValueError: if the seeds behind the two are not equally many.
    """
    if x.n_seeds != y.n_seeds:
        raise ValueError(f"means over {x.n_seeds} and {y.n_seeds} seeds do not compare")
    mean = x.mean - y.mean
    if x.se is None or y.se is None:
        return Paired(mean, (), "nothing", x.n_seeds)
    df = (x.n_seeds if x.n_seeds > 1 else min(x.n_prompts, y.n_prompts)) - 1
    return Paired(mean, (ErrorPart(x.se**2 + y.se**2, df),), "nothing", x.n_seeds)


def difference(worlds: Sequence[Paired]) -> Difference:
    """The difference as a verdict reads it; every world weighs the same.

    In one world it is the world's own. From three on, the world means are the unit, for any world
    of the kind: SE^2 = sum_w (d_w - d)^2 / (W (W - 1)) with W - 1 degrees of freedom. With two, t_1
    says nothing and the interval is for these worlds only (`within_worlds`).

    Raises:
        ValueError: if there is no world.
    """
    if len(worlds) < ACROSS_FROM:
        return within_worlds(worlds)
    means = np.array([one.mean for one in worlds])
    part = ErrorPart(told(float(means.var(ddof=1)), means) / means.size, means.size - 1)
    return _difference(worlds, (part,))._replace(across_worlds=True)


def within_worlds(worlds: Sequence[Paired]) -> Difference:
    """The difference in these worlds, which are held as they are: SE^2 = sum_w SE_w^2 / W^2.

    Raises:
        ValueError: if there is no world.
    """
    known = all(one.parts for one in worlds)
    parts = tuple(
        ErrorPart(part.variance / len(worlds) ** 2, part.df) for one in worlds for part in one.parts
    )
    return _difference(worlds, parts if known else ())


def _difference(worlds: Sequence[Paired], parts: tuple[ErrorPart, ...]) -> Difference:
    if not worlds:
        raise ValueError("a mean over worlds needs at least one world")
    mean = math.fsum(one.mean for one in worlds) / len(worlds)
    half = half_width(parts, INTERVAL_ALPHA)
    return Difference(
        mean=mean,
        low=mean - half if parts else None,
        high=mean + half if parts else None,
        se=standard_error(parts) if parts else None,
        p=p_value(mean, parts) if parts else None,
        parts=parts,
        paired_by=min((one.by for one in worlds), key=WEAKEST.index),
        n_seeds=sum(one.n_seeds for one in worlds),
        n_worlds=len(worlds),
        across_worlds=False,
    )
