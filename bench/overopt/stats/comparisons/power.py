"""What a comparison could have seen: the power behind each of its tests."""

from __future__ import annotations

from functools import lru_cache

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import nct

POWER = 0.8
"""Chance to see a difference that is there."""


def smallest_seen(se: float, df: float, alpha: float, power: float = POWER) -> float:
    """The smallest true difference that a two-sided t test declares, with its sign, by this chance.

    The delta for which P(T > t_{df, 1 - alpha / 2}) = power, where T has a noncentral t
    distribution with df degrees of freedom and noncentrality delta / se. It takes the standard
    error that was measured for the true one.

    Args:
        se: standard error of the difference.
        df: its degrees of freedom; may be infinite.
        alpha: level of the test. Among m tests with Holm's correction, alpha / m is that of the
            first step, which every single difference has to pass when it stands alone.
        power: chance to declare it.

    Returns:
        The difference, in units of se; 0 where se is 0.

    Raises:
        ValueError: if df is not positive, or alpha or power is not between 0 and 1.

    Reference:
        Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, chapter 2 (from
        memory).
    """
    if not (df > 0.0 and 0.0 < alpha < 1.0 and 0.0 < power < 1.0):
        raise ValueError(f"df must be positive, alpha and power in (0, 1): {df}, {alpha}, {power}")
    return se * _in_errors(float(df), alpha, power) if se > 0.0 else 0.0


@lru_cache(maxsize=4096)
def _in_errors(df: float, alpha: float, power: float) -> float:
    """The same in standard errors."""
    if df > 1e6:  # normal to all digits that are shown
        critical = float(ndtri(1.0 - 0.5 * alpha))

        def missing(delta: float) -> float:
            return float(ndtr(delta - critical)) - power
    else:
        critical = float(stdtrit(df, 1.0 - 0.5 * alpha))

        def missing(delta: float) -> float:
            return float(nct.sf(critical, df, delta)) - power

    high = critical + 1.0
    while missing(high) < 0.0:
        high *= 1.5
    return float(brentq(missing, 0.0, high, xtol=1e-9 * high))
