"""How sure we are: t intervals over one kind of thing, seeds or prompts, and paired tests.

The t interval is used everywhere because with 3, 5 or 10 seeds a percentile bootstrap covers far
less than it promises. Means over seeds and prompts at once have `overopt.stats.crossed`.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from overopt.stats.arrays import Floats, check_finite, check_same_shape
from overopt.stats.students_t import EXPLORATORY_BELOW, t_half_width


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
    mean = float(values.sum()) / n
    if n == 1:
        return Interval(mean, None, None, None, 1, level, exploratory)
    off = values - mean
    se = math.sqrt(float(off @ off) / (n - 1)) / math.sqrt(n)
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
    rounding = 8.0 * np.finfo(np.float64).eps * float(max(np.abs(x).max(), np.abs(y).max()))
    if difference.se <= rounding:
        return PairedTest(difference, None, 1.0 if abs(difference.mean) <= rounding else None)
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
