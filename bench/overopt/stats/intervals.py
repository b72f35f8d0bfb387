"""How sure we are: t intervals over seeds or prompts, paired tests, and the rise-and-fall test.

The t interval is used everywhere because with 3, 5 or 10 seeds a percentile bootstrap covers far
less than it promises.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from overopt.stats.arrays import Floats, Ints, check_finite, check_same_shape

EXPLORATORY_BELOW = 5  # fewer independent values than this is labeled exploratory


class Interval(NamedTuple):
    """A mean with a two-sided t interval.

    Attributes:
        mean: mean of the values, or None when there is no value.
        low: lower bound, or None with fewer than two values.
        high: upper bound, or None with fewer than two values.
        se: standard error of the mean, or None with fewer than two values.
        n: number of values.
        level: coverage that the interval aims at.
        exploratory: true when n is below 5.
    """

    mean: float | None
    low: float | None
    high: float | None
    se: float | None
    n: int
    level: float
    exploratory: bool

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above 0; false when it is missing."""
        return self.low is not None and self.low > 0.0

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval lies below 0; false when it is missing."""
        return self.high is not None and self.high < 0.0


class PairedTest(NamedTuple):
    """A two-sided paired t test.

    Attributes:
        difference: interval of the mean of x - y.
        t: the statistic, or None when the differences do not vary.
        p: two-sided p value, or None with fewer than two pairs or when all differences are one
            and the same number other than 0, where the t distribution has nothing to say.
    """

    difference: Interval
    t: float | None
    p: float | None


@dataclass(frozen=True)
class RiseFall:
    """Whether gold rises from the initial policy to a peak and falls from there to the end.

    Attributes:
        n_seeds: seeds.
        n_prompts: prompts.
        last: column of the last budget reached by all seeds.
        peaks: columns chosen as the peak, seed by seed and within a seed half by half, each from
            other data than it is tested on.
        rise_seeds: gold at the peak minus initial gold, t interval over seeds.
        fall_seeds: gold at the last budget minus gold at the peak, t interval over seeds.
        rise_prompts: the same rise averaged over seeds, t interval over prompts.
        fall_prompts: the same fall averaged over seeds, t interval over prompts.
        rises: both rise intervals lie above 0 (with one seed: the one over prompts).
        falls: both fall intervals lie below 0 (with one seed: the one over prompts).
        exploratory: fewer than 5 seeds.
    """

    n_seeds: int
    n_prompts: int
    last: int
    peaks: tuple[int, ...]
    rise_seeds: Interval
    fall_seeds: Interval
    rise_prompts: Interval
    fall_prompts: Interval
    rises: bool
    falls: bool
    exploratory: bool


def t_half_width(se: float, df: float, level: float) -> float:
    """Half width of a two-sided t interval: se times the (1 + level)/2 quantile with df.

    An se of 0 gives 0 whatever the df, so that a mean of equal numbers may have infinitely many.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    return float(stdtrit(df, 0.5 + 0.5 * level)) * se if se > 0.0 else 0.0


def t_interval(values_S: ArrayLike, level: float = 0.95) -> Interval:
    """Mean of independent values with a t interval: mean +- t_{S-1} sd / sqrt(S).

    Fewer than two values give no interval (None), never one of width 0.

    Args:
        values_S: one finite value per seed (or prompt); may be empty.
        level: coverage.

    Raises:
        ValueError: if a value is NaN or infinite, or level is not between 0 and 1.
    """
    values = np.asarray(values_S, np.float64)
    n = values.size
    exploratory = n < EXPLORATORY_BELOW
    if n == 0:
        return Interval(None, None, None, None, 0, level, exploratory)
    check_finite(values, "values")
    mean = float(values.mean())
    if n == 1:
        return Interval(mean, None, None, None, 1, level, exploratory)
    se = float(values.std(ddof=1) / np.sqrt(n))
    half = t_half_width(se, n - 1, level)
    return Interval(mean, mean - half, mean + half, se, n, level, exploratory)


def paired_test(x_S: ArrayLike, y_S: ArrayLike, level: float = 0.95) -> PairedTest:
    """Two-sided paired t test of x - y, pair by pair; all differences 0 give p = 1.

    Raises:
        ValueError: if shapes differ, or a value is NaN or infinite.
    """
    x, y = check_finite(x_S, "x"), check_finite(y_S, "y")
    check_same_shape(x, y, "x and y")
    difference = t_interval(x - y, level)
    if difference.mean is None or difference.se is None:
        return PairedTest(difference, None, None)
    if difference.se == 0.0:
        return PairedTest(difference, None, 1.0 if difference.mean == 0.0 else None)
    t = difference.mean / difference.se
    return PairedTest(difference, t, float(2.0 * stdtr(difference.n - 1, -abs(t))))


def adjust_holm(p_P: ArrayLike) -> Floats:
    """Holm's step-down adjusted p values: max over j <= i of (m - j + 1) p_(j), at most 1.

    Raises:
        ValueError: if a p value lies outside [0, 1].

    Reference:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
    """
    p = check_finite(p_P, "p values")
    if np.any(p < 0) or np.any(p > 1):
        raise ValueError("p values must lie between 0 and 1")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def paired_rise_fall(
    gold_SKB: ArrayLike, generator: np.random.Generator | None = None, level: float = 0.95
) -> RiseFall:
    """Test whether gold rises and then falls along the budgets, paired by prompt and seed.

    The peak of seed s on one half of the prompts is the budget with the highest mean over the
    *other* seeds on the *other* half, so that it is never chosen on the numbers that it is tested
    on. Leaving out the seed alone would not do: all seeds share the prompts, and what a prompt
    does at a budget is the same accident in all of them. With one seed the peak is chosen on one
    half of the prompts and tested on the other half only.

    rise = gold at the peak - initial gold; fall = gold at the last budget - gold at the peak. Each
    must exclude 0 in its direction over seeds and, averaged over seeds, over prompts. The peak is
    one of the budgets, never the initial policy; a peak at the last budget makes the fall 0.

    Args:
        gold_SKB: gold of each seed, budget and prompt; column 0 is the initial policy. A budget
            that a seed did not reach is NaN for all its prompts; only budgets that all seeds
            reached are considered.
        generator: splits the prompts in halves; without one, even and odd positions (needs
            prompts in no particular order). Required with one seed.
        level: coverage of the two-sided intervals.

    Raises:
        ValueError: if the shape is wrong, infinity or a partly missing budget occurs, the initial
            policy is missing, no budget is reached by all seeds, or there are too few prompts.
    """
    gold = np.asarray(gold_SKB, np.float64)
    if gold.ndim != 3 or gold.shape[0] < 1 or gold.shape[1] < 2 or gold.shape[2] < 4:
        raise ValueError(
            "gold must have shape (seeds, budgets, prompts) with at least 1 seed, the initial "
            f"policy and 1 budget, and 4 prompts, got {gold.shape}"
        )
    n_seeds, _, n_prompts = gold.shape
    columns = _reached_columns(gold)
    half_B = _split_prompts(n_prompts, n_seeds, generator)
    change_SB2 = np.zeros((n_seeds, n_prompts, 2))  # rise and fall of every prompt
    peaks: list[int] = []
    for s in range(n_seeds):
        others = np.delete(gold, s, axis=0) if n_seeds > 1 else gold
        for half in (0, 1):
            chosen_on, tested_on = half_B == half, half_B != half
            mean_K = others[:, columns][:, :, chosen_on].mean(axis=(0, 2))
            peak = int(columns[1 + int(np.argmax(mean_K[1:]))])
            peaks.append(peak)
            at_peak = gold[s, peak, tested_on]
            change_SB2[s, tested_on, 0] = at_peak - gold[s, 0, tested_on]
            change_SB2[s, tested_on, 1] = gold[s, columns[-1], tested_on] - at_peak
    if n_seeds == 1:  # the two halves chose each other's peak, so only one of them is a test
        change_SB2, peaks = change_SB2[:, half_B != 0], peaks[:1]
    rise_seeds, fall_seeds = (t_interval(change_SB2[:, :, i].mean(axis=1), level) for i in (0, 1))
    rise_prompts, fall_prompts = (
        t_interval(change_SB2[:, :, i].mean(axis=0), level) for i in (0, 1)
    )
    one_seed = n_seeds == 1
    return RiseFall(
        n_seeds=n_seeds,
        n_prompts=n_prompts,
        last=int(columns[-1]),
        peaks=tuple(peaks),
        rise_seeds=rise_seeds,
        fall_seeds=fall_seeds,
        rise_prompts=rise_prompts,
        fall_prompts=fall_prompts,
        rises=rise_prompts.above_zero and (one_seed or rise_seeds.above_zero),
        falls=fall_prompts.below_zero and (one_seed or fall_seeds.below_zero),
        exploratory=n_seeds < EXPLORATORY_BELOW,
    )


def _reached_columns(gold_SKB: Floats) -> Ints:
    """Columns that every seed reached, the initial policy first."""
    missing_SK = np.isnan(gold_SKB).any(axis=2)
    if np.any(missing_SK & ~np.isnan(gold_SKB).all(axis=2)):
        raise ValueError("a budget must be NaN for all prompts of a seed, or for none")
    if np.any(np.isinf(gold_SKB)):
        raise ValueError("gold has infinite values")
    columns = np.flatnonzero(~missing_SK.any(axis=0))
    if columns.size == 0 or columns[0] != 0:
        raise ValueError("the initial policy (column 0) must be measured for every seed")
    if columns.size < 2:
        raise ValueError("no budget was reached by all seeds")
    return np.asarray(columns, np.int64)


def _split_prompts(n_prompts: int, n_seeds: int, generator: np.random.Generator | None) -> Ints:
    """Half (0 or 1) of each prompt."""
    half_B = np.arange(n_prompts, dtype=np.int64) % 2
    if generator is not None:
        return np.asarray(generator.permutation(half_B), np.int64)
    if n_seeds == 1:
        raise ValueError("with one seed a generator is needed to split the prompts in halves")
    return half_B
