"""What a comparison could have seen: the power behind each of its tests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from scipy.optimize import brentq
from scipy.stats import nct

from overopt.stats.crossed import combine_df
from overopt.stats.error_parts import (
    ErrorPart,
    critical,
    half_width,
    standard_error,
)

POWER = 0.8
"""Chance to see a difference that is there."""


def smallest_seen(parts: Sequence[ErrorPart], alpha: float, power: float = POWER) -> float:
    """The smallest true difference that a two-sided test declares, with its sign, by this chance.

    The delta for which P(D > H) = power, where D is normal around delta with the parts' standard
    error and H is the half width that the test compares it with. With one part D / H is t, and this
    is the usual power of the t test. With several H^2 = sum t_i^2 V_i, and its distribution is
    approximated by Satterthwaite's degrees of freedom. The errors that were measured are taken for
    the true ones.

    Args:
        parts: of the squared standard error of the difference.
        alpha: level of the test. Among m tests with Holm's correction, alpha / m is that of the
            first step, which a difference has to pass that stands alone.
        power: chance to declare it.

    Returns:
        The difference; 0 where there is no error.

    Raises:
        ValueError: if a df is not positive, or alpha or power is not between 0 and 1.

    Reference:
        Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, chapter 2 (from
        memory).
    """
    if not (0.0 < alpha < 1.0 and 0.0 < power < 1.0 and all(part.df > 0 for part in parts)):
        raise ValueError("degrees of freedom must be positive, alpha and power between 0 and 1")
    se = standard_error(parts)
    if se == 0.0:
        return 0.0
    weighted = [(critical(part.df, alpha) ** 2 * part.variance, part.df) for part in parts]
    df = combine_df([one for one in weighted if one[0] > 0.0])
    return se * _in_errors(half_width(parts, alpha) / se, df, power)


@lru_cache(maxsize=4096)
def _in_errors(limit: float, df: float, power: float) -> float:
    """The noncentrality at which a t of df degrees of freedom exceeds a limit with this chance."""

    def missing(delta: float) -> float:
        return float(nct.sf(limit, df, delta)) - power

    high = limit + 1.0
    while missing(high) < 0.0:
        high *= 1.5
    return float(brentq(missing, 0.0, high, xtol=1e-9 * high))
