"""Whether what is better in one place is better in another: rank correlation with its interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import kendalltau

from overopt.stats.arrays import Floats, check_finite

FEWEST_ROWS = 3
"""Fewer have no order that could be the same or another."""
RESAMPLES = 2000


class RankCorrelation(NamedTuple):
    """Kendall's tau-b between the means of R rows in two places.

    tau: from -1 to 1; None with fewer than ``FEWEST_ROWS`` rows, or where all of a place are equal.
    low, high: percentile bootstrap over rows and seeds.
    p: two-sided p value of no association, rows exchangeable (exact for few rows without ties).
    n_rows: R.
    """

    tau: float | None
    low: float | None
    high: float | None
    p: float | None
    n_rows: int


def rank_correlation(
    x_RS: ArrayLike,
    y_RT: ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> RankCorrelation:
    """Kendall's tau-b of row means, and how certain it is.

    Rows of one place share their seeds, so that seeds are drawn for all rows together, in each
    place on its own. The interval over rows and seeds asks what other rows of the kind would show;
    rows that are drawn twice tie, which makes it wide: by simulation, normal rows of correlation 0
    and .7, 3 and 5 seeds with noise of half and all of the rows' SD, 95 % intervals hold the true
    tau in 95 to 100 % of studies with 6, 8 and 12 rows. Noise of seeds draws tau toward 0, which
    drawing anew cannot see: where rows agree closely and are many, intervals hold it less often (in
    86 % with correlation .9, 12 rows and 3 seeds of noise as large as the rows' SD; in 66 % with
    .95, 16 rows and 5 seeds). There is no interval over seeds alone: with 3 to 5 of them a
    bootstrap held the tau of the very rows in 66 to 94 % of studies with correlation .7.

    Args:
        x_RS: score of each row under each of S seeds in the first place.
        y_RT: the same rows in the second place, T seeds of its own.
        rng: draws rows and seeds.
        level: of the intervals.
        resamples: draws of the bootstrap.

    Raises:
        ValueError: the places have different rows, or a value is NaN or infinite.

    Reference: Kendall, "The Treatment of Ties in Ranking Problems", Biometrika 33 (1945).
    """
    x, y = check_finite(x_RS, "scores of the first place"), check_finite(y_RT, "of the second")
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError("both places need (rows, seeds) of the same rows")
    rows = len(x)
    tau = tau_b(x.mean(axis=1), y.mean(axis=1))
    if rows < FEWEST_ROWS or tau is None:
        return RankCorrelation(None, None, None, None, rows)
    drawn = [_drawn(x, y, rng.integers(rows, size=rows), rng) for _ in range(resamples)]
    low, high = _between(drawn, level)
    p = float(kendalltau(x.mean(axis=1), y.mean(axis=1)).pvalue)
    return RankCorrelation(tau, low, high, p, rows)


def _drawn(x: Floats, y: Floats, row_R: np.ndarray, rng: np.random.Generator) -> float | None:
    """Tau of these rows with seeds drawn anew."""
    means = (
        part[row_R][:, rng.integers(part.shape[1], size=part.shape[1])].mean(axis=1)
        for part in (x, y)
    )
    return tau_b(*means)


def tau_b(x_R: Floats, y_R: Floats) -> float | None:
    """Kendall's tau-b: concordant less discordant pairs, over the root of both numbers untied.

    None where a place has one value only.
    """
    x_RR, y_RR = (np.sign(part[:, None] - part) for part in (x_R, y_R))
    untied = float(np.square(x_RR).sum() * np.square(y_RR).sum())
    return float((x_RR * y_RR).sum() / untied**0.5) if untied > 0 else None


def _between(draws: list[float | None], level: float) -> tuple[float | None, float | None]:
    """The central part of what was drawn; draws without a tau say nothing."""
    known = [one for one in draws if one is not None]
    if not known:
        return None, None
    edge = (1 - level) / 2
    low, high = np.quantile(known, [edge, 1 - edge])
    return float(low), float(high)
