"""Shares of a count, with exact intervals."""

from __future__ import annotations

from typing import NamedTuple

from scipy.stats import binomtest


class Share(NamedTuple):
    """How many of how many, with the exact 95 % interval of a binomial share."""

    hits: int
    n: int
    low: float
    high: float


def share(count: int, n: int) -> Share:
    """A share with its exact 95 % interval.

    Args:
        count: how many.
        n: of how many, at least 1.

    Reference:
        Clopper and Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of
        the Binomial", 1934: the true share lies in it with a chance of at least 95 %.
    """
    interval = binomtest(count, n).proportion_ci(0.95, "exact")
    return Share(count, n, float(interval.low), float(interval.high))
