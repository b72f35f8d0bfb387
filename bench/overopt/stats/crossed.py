"""Intervals for a mean over seeds and prompts at once: both are random, and they are crossed.

All seeds answer the same held-out prompts. An interval over seeds alone takes the prompts for
fixed, one over prompts alone takes the seeds for fixed; each is too narrow for what a reader asks,
and asking both to exclude 0 adds neither variance to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, check_finite, check_same_shape
from overopt.stats.error_parts import ErrorPart
from overopt.stats.students_t import EXPLORATORY_BELOW, t_half_width

ROUNDING = 8 * np.finfo(np.float64).eps
"""Numbers that differ by less than this share of the largest are equal."""

Over = Literal["seeds and prompts", "seeds and prompts, at most", "seeds", "prompts"]
"""What an interval takes for random; everything else is held as it is.

"At most" is an interval that is known to be wide enough, from less than the whole table.
"""


AcrossWorlds = Literal["worlds", "these worlds"]
"""What an interval of a mean over worlds takes for random: worlds, or seeds and prompts in them."""


class MeanSquares(NamedTuple):
    """Mean squares of a two-way table without replication, one of each per table.

    Attributes:
        seed: P sum_s (x_s. - x_..)^2 / (S - 1); expects sigma_res^2 + P sigma_seed^2.
        prompt: S sum_p (x_.p - x_..)^2 / (P - 1); expects sigma_res^2 + S sigma_prompt^2.
        residual: sum_sp (x_sp - x_s. - x_.p + x_..)^2 / ((S - 1)(P - 1)); expects sigma_res^2,
            which holds the interaction of seed and prompt and the sampling of responses.
    """

    seed: Floats
    prompt: Floats
    residual: Floats


class CrossedError(NamedTuple):
    """Squared standard error of a table's mean and its degrees of freedom, one of each per table.

    Attributes:
        variance: SE^2, in squared units of the values.
        df: Satterthwaite's degrees of freedom; infinite where the variance is 0.
    """

    variance: Floats
    df: Floats


class Crossed(NamedTuple):
    """A mean over seeds and prompts with a two-sided t interval.

    Attributes:
        mean: mean over all seeds and prompts.
        low: lower bound, or None where neither seeds nor prompts are two.
        high: upper bound, likewise.
        se: standard error of the mean, likewise.
        df: degrees of freedom of the t interval, likewise.
        n_seeds: seeds.
        n_prompts: prompts.
        level: coverage that the interval aims at.
        over: what the interval takes for random.
    """

    mean: float
    low: float | None
    high: float | None
    se: float | None
    df: float | None
    n_seeds: int
    n_prompts: int
    level: float
    over: Over | AcrossWorlds

    @property
    def exploratory(self) -> bool:
        """Whether fewer than 5 seeds stand behind it."""
        return self.n_seeds < EXPLORATORY_BELOW

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above 0; false when it is missing."""
        return self.low is not None and self.low > 0.0

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval lies below 0; false when it is missing."""
        return self.high is not None and self.high < 0.0


class Place(NamedTuple):
    """Gold at one place along KL, which is the mean over all seeds at their own policies there.

    Attributes:
        kl_target_nats: the budget, nats.
        kl_nats: KL that those policies achieved, mean over seeds, nats.
        gold: gold above the initial policy, prompt by prompt; interval over seeds and prompts.
    """

    kl_target_nats: float
    kl_nats: float
    gold: Crossed


def mean_squares(x_SP: ArrayLike) -> MeanSquares:
    """Mean squares of tables of seeds by prompts.

    Args:
        x_SP: one value per seed and prompt, at least 2 of each; leading axes are further tables.

    Raises:
        ValueError: if there are fewer than 2 seeds or prompts, or a value is NaN or infinite.

    Reference:
        Searle, Casella and McCulloch, "Variance Components", 1992, chapter 4 (from memory).
    """
    x = check_finite(x_SP, "values")
    if x.ndim < 2 or x.shape[-2] < 2 or x.shape[-1] < 2:
        raise ValueError(f"values must be at least 2 seeds by 2 prompts, got shape {x.shape}")
    n_seeds, n_prompts = x.shape[-2:]
    row_S, column_P = x.mean(axis=-1), x.mean(axis=-2)
    mean = row_S.mean(axis=-1)
    seed = n_prompts * row_S.var(axis=-1, ddof=1)
    prompt = n_seeds * column_P.var(axis=-1, ddof=1)
    rest = x - row_S[..., :, None] - column_P[..., None, :] + mean[..., None, None]
    residual = np.square(rest).sum(axis=(-2, -1)) / ((n_seeds - 1) * (n_prompts - 1))
    return MeanSquares(np.asarray(seed), np.asarray(prompt), np.asarray(residual))


def crossed_error(squares: MeanSquares, n_seeds: int, n_prompts: int) -> CrossedError:
    """Squared standard error of the mean of a crossed table, and its degrees of freedom.

    Var(x_..) = sigma_seed^2 / S + sigma_prompt^2 / P + sigma_res^2 / (S P), estimated by
    SE^2 = (MS_seed + MS_prompt - MS_res) / (S P).

    A difference of mean squares can be tiny or negative by chance, which would claim a certainty
    that nobody has. A component estimated below 0 is therefore set to 0:
    SE^2 = (MS_res + max(MS_seed - MS_res, 0) + max(MS_prompt - MS_res, 0)) / (S P),
    the same wherever both components are positive, and never below the larger of the two one-way
    SEs, MS_seed / (S P) and MS_prompt / (S P), nor below the residual alone. Without the floor 95 %
    intervals cover 75 to 86 % with 2 seeds and 82 to 93 % with 3 where neither component exists;
    with it they cover at least 94 % from 3 seeds on, and at least 91 % with 2.

    df = (S P SE^2)^2 / (MS_seed^2 / (S - 1) + MS_prompt^2 / (P - 1) + MS_res^2 / ((S - 1)(P - 1))).
    All three stay in the denominator where a component was set to 0: dropping one would raise the
    degrees of freedom just where the seeds happen to agree (with 3 seeds, 92.6 % instead of 94.6 %
    where the seeds vary most).

    Args:
        squares: mean squares of one table or of several.
        n_seeds: S, at least 2.
        n_prompts: P, at least 2.

    Reference:
        Satterthwaite, "An Approximate Distribution of Estimates of Variance Components", 1946,
        equation 17 (from memory).
    """
    seed, prompt, residual = squares
    total = residual + np.maximum(seed - residual, 0.0) + np.maximum(prompt - residual, 0.0)
    weight = (
        seed**2 / (n_seeds - 1)
        + prompt**2 / (n_prompts - 1)
        + residual**2 / ((n_seeds - 1) * (n_prompts - 1))
    )
    df = np.full_like(total, np.inf)
    np.divide(total**2, weight, out=df, where=weight > 0.0)
    return CrossedError(total / (n_seeds * n_prompts), df)


def crossed_interval(x_SP: ArrayLike, level: float = 0.95) -> Crossed:
    """Mean of a table of seeds by prompts with a t interval that takes both for random.

    mean +- t_df SE with `crossed_error`'s SE and df. With one seed the interval is over prompts
    only, with one prompt over seeds only, and says so; with one of each there is none.

    Args:
        x_SP: one finite value per seed and prompt.
        level: coverage.

    Raises:
        ValueError: if the table has no value or is not two-dimensional, a value is NaN or
            infinite, or level is not between 0 and 1.
    """
    x = check_finite(x_SP, "values")
    if x.ndim != 2:
        raise ValueError(f"values must have shape (seeds, prompts), got {x.shape}")
    n_seeds, n_prompts = x.shape
    mean = float(x.mean())
    if x.size == 1:
        return Crossed(mean, None, None, None, None, 1, 1, level, "prompts")
    if n_seeds > 1 and n_prompts > 1:
        variance, df = crossed_error(mean_squares(x), n_seeds, n_prompts)
        return around(mean, float(np.sqrt(variance)), float(df), x.shape, level)
    return around(mean, float(x.std(ddof=1) / np.sqrt(x.size)), x.size - 1, x.shape, level)


def around(
    mean: float, se: float, df: float, shape: tuple[int, ...], level: float = 0.95
) -> Crossed:
    """The t interval of a mean over (seeds, prompts) whose standard error and df are known.

    An error of 0 has infinitely many degrees of freedom.
    """
    n_seeds, n_prompts = shape
    df = df if se > 0.0 else float("inf")
    half = t_half_width(se, df, level)
    over: Over = "seeds and prompts"
    if n_seeds == 1 or n_prompts == 1:
        over = "prompts" if n_seeds == 1 else "seeds"
    return Crossed(mean, mean - half, mean + half, se, df, n_seeds, n_prompts, level, over)


def widest_interval(
    mean_S: ArrayLike, se_S: ArrayLike, n_prompts: int, level: float = 0.95
) -> Crossed:
    """Interval of a mean over seeds and prompts where only each seed's summary is known.

    SE^2 = sum_s (m_s - m)^2 / (S (S - 1)) + sum_s se_s^2 / S, with Satterthwaite's degrees of
    freedom from S - 1 and P - 1. Its second term is (MS_prompt + (S - 1) MS_res) / (S P), as large
    as the variance over prompts would be if the prompts did the same in all seeds, so that the
    interval is never narrower than `crossed_interval`'s SE. With one seed it is over prompts only.

    Args:
        mean_S: mean over the prompts of each seed.
        se_S: its standard error over prompts.
        n_prompts: prompts behind each, at least 2.
        level: coverage.

    Raises:
        ValueError: if shapes differ, a value is NaN or infinite, or there are too few prompts.
    """
    mean, se = check_finite(mean_S, "means"), check_finite(se_S, "standard errors")
    check_same_shape(mean, se, "means and standard errors")
    if n_prompts < 2:
        raise ValueError(f"a standard error over prompts needs at least 2, got {n_prompts}")
    n_seeds = mean.size
    over_prompts = float(np.mean(se**2))
    if n_seeds == 1:
        return around(float(mean[0]), float(se[0]), n_prompts - 1, (1, n_prompts), level)
    over_seeds = float(mean.var(ddof=1)) / n_seeds
    found = around(
        float(mean.mean()),
        float(np.sqrt(over_seeds + over_prompts)),
        combine_df([(over_seeds, n_seeds - 1), (over_prompts, n_prompts - 1)]),
        (n_seeds, n_prompts),
        level,
    )
    return found._replace(over="seeds and prompts, at most")


def combine_df(parts: Sequence[tuple[float, float]]) -> float:
    """Satterthwaite's degrees of freedom of a sum of variances, given as (variance, df).

    (sum v)^2 / sum (v^2 / df); infinite where the sum is 0.
    """
    weight = sum(variance**2 / df for variance, df in parts)
    return sum(variance for variance, _ in parts) ** 2 / weight if weight > 0.0 else float("inf")


def crossed_parts(x_SB: Floats) -> tuple[ErrorPart, ...]:
    """The parts of the squared error of a mean over crossed seeds and prompts.

    MS_seed / (S P) with S - 1 degrees of freedom, which holds what seeds and sampling add, and
    max(MS_prompt - MS_residual, 0) / (S P) with P - 1, which prompts add. With one seed there is
    the variance over prompts only.

    Args:
        x_SB: one value per seed and prompt, at least 2 prompts.
    """
    n_seeds, n_prompts = x_SB.shape
    if n_seeds == 1:
        return (ErrorPart(told(float(x_SB.var(ddof=1)), x_SB) / n_prompts, n_prompts - 1),)
    squares = mean_squares(x_SB)
    over_prompts = max(float(squares.prompt - squares.residual), 0.0)
    return (
        ErrorPart(told(float(squares.seed), x_SB) / x_SB.size, n_seeds - 1),
        ErrorPart(told(over_prompts, x_SB) / x_SB.size, n_prompts - 1),
    )


def told(variance: float, x: Floats) -> float:
    """The variance; 0 where rounding explains it, as that of equal numbers may come out."""
    return variance if variance > x.size * (ROUNDING * float(np.abs(x).max())) ** 2 else 0.0
