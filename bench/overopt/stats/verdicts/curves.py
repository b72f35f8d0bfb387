"""Numbers of one seed's curve, or of one seed's curves along an axis, that claims are about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, check_finite, check_same_shape
from overopt.stats.fits.forms import Form
from overopt.stats.fits.holdout import Cut, cut_curve, holdout_errors
from overopt.stats.fits.least_squares import Fit, fit, solve

FITTED_SHARE = 0.6
"""Share of the range of KL that a held-out fit is fitted on."""


def held_out_error(
    kl_K: ArrayLike, r_K: ArrayLike, form: Form | None, share: float = FITTED_SHARE
) -> float:
    """RMSE beyond the lower part of the KL range of a form fitted on that part.

    Args:
        kl_K: KL of each point, nats; the initial policy belongs to neither part.
        r_K: score of each point above the initial policy.
        form: the form; None for the constant that stays at the last fitted point.
        share: the fitted part ends at this share of the largest KL.

    Raises:
        ValueError: the fitted part does not determine the form, or nothing lies beyond it.
    """
    cut = _cut(kl_K, r_K, share)
    if form is None:
        far, near = cut.far, cut.near
        return float(np.sqrt(np.mean(np.square(far.r_K - near.r_K[-1]))))
    (found,) = holdout_errors([cut], solve([cut.near], form))
    if isinstance(found, ValueError):
        raise found
    return found.rmse


def held_out_bias(
    kl_K: ArrayLike, r_K: ArrayLike, form: Form, share: float = FITTED_SHARE
) -> float:
    """Mean of what is measured less what the form predicts, beyond the part it is fitted on.

    Above 0 where the form predicts too little; arguments and errors as `held_out_error`.
    """
    cut = _cut(kl_K, r_K, share)
    (solved,) = solve([cut.near], form)
    if isinstance(solved, ValueError):
        raise solved
    return float(np.mean(cut.far.r_K - solved.predict(cut.far.d_K)))


def _cut(kl_K: ArrayLike, r_K: ArrayLike, share: float) -> Cut:
    kl, r = check_finite(kl_K, "KL"), check_finite(r_K, "scores")
    check_same_shape(kl, r, "KL and scores")
    moved = kl[kl > 0.0]
    n_fitted = int(np.sum(moved <= share * moved.max())) if moved.size else 0
    return cut_curve(np.sqrt(np.maximum(kl, 0.0)), r, n_fitted)


def fit_curve(kl_K: ArrayLike, r_K: ArrayLike, form: Form) -> Fit:
    """A form fitted to all points of one seed."""
    return fit(np.sqrt(check_finite(kl_K, "KL")), r_K, form)


def mean_fit(
    form: Form, curves: Sequence[tuple[ArrayLike, ArrayLike]], d_D: Floats
) -> Floats | None:
    """The mean over seeds of a form fitted to the KL and scores of each, at some d = sqrt(KL).

    Returns:
        Shape (D,); None where one seed allows no fit: a mean over fewer would be another curve.
    """
    try:
        fitted = [fit_curve(kl_K, r_K, form).predict(d_D) for kl_K, r_K in curves]
    except ValueError:
        return None
    return np.asarray(np.mean(fitted, axis=0), np.float64)


def slopes(x_L: ArrayLike, values_LSB: Sequence[ArrayLike]) -> Floats:
    """Least-squares slope over the levels of an axis, for each seed and prompt.

    sum_l (x_l - x) y_l / sum_l (x_l - x)^2, which is a weighted sum of the levels, so that slopes
    of prompts average to the slope of their mean.

    Args:
        x_L: the levels, at least 3 different ones.
        values_LSB: for each level a table of seeds by prompts.

    Returns:
        Shape (S, B).
    """
    x = check_finite(x_L, "levels")
    values = check_finite(np.stack([np.asarray(one, np.float64) for one in values_LSB]), "values")
    if np.unique(x).size < 3:
        raise ValueError(f"a slope over an axis needs 3 different levels, got {x.tolist()}")
    off = x - x.mean()
    return np.asarray(np.tensordot(off / (off @ off), values, axes=1), np.float64)


def first_kl_at(kl_K: ArrayLike, r_K: ArrayLike, level: float) -> float:
    """KL at which a score first reaches a level, linear in sqrt(KL) between points, nats.

    Raises:
        ValueError: it never does.
    """
    kl, r = check_finite(kl_K, "KL"), check_finite(r_K, "scores")
    order = np.argsort(kl, kind="stable")
    d, r = np.sqrt(kl[order]), r[order]
    above = np.flatnonzero(r >= level)
    if not above.size:
        raise ValueError(f"the score never reaches {level:.3g}")
    k = int(above[0])
    if k == 0:
        return float(d[0]) ** 2
    share = (level - r[k - 1]) / (r[k] - r[k - 1])
    return float(d[k - 1] + share * (d[k] - d[k - 1])) ** 2


def mean_distance(
    first: tuple[ArrayLike, ArrayLike], second: tuple[ArrayLike, ArrayLike], places: int = 50
) -> float:
    """Mean absolute difference of two curves, each (x, y), over the range of x that both have.

    Both are read linearly at places evenly spaced in x. Of several points of equal x, the mean.

    Raises:
        ValueError: the curves have no range in common.
    """
    curves = [_ascending(*one) for one in (first, second)]
    low = max(x[0] for x, _ in curves)
    high = min(x[-1] for x, _ in curves)
    if not low < high:
        raise ValueError("the two curves have no range in common")
    at = np.linspace(low, high, places)
    one, other = (np.interp(at, x, y) for x, y in curves)
    return float(np.abs(one - other).mean())


def read_at(x_K: ArrayLike, y_K: ArrayLike, at: float) -> float:
    """y at a value of x, linear between points in the order of x; of equal x, the mean.

    Raises:
        ValueError: x does not reach it.
    """
    x, y = _ascending(x_K, y_K)
    if not x[0] <= at <= x[-1]:
        raise ValueError(f"the curve runs from {x[0]:.3g} to {x[-1]:.3g} and misses {at:.3g}")
    return float(np.interp(at, x, y))


def _ascending(x_K: ArrayLike, y_K: ArrayLike) -> tuple[Floats, Floats]:
    x, y = check_finite(x_K, "x"), check_finite(y_K, "y")
    check_same_shape(x, y, "x and y")
    own, which, count = np.unique(x, return_inverse=True, return_counts=True)
    return own, np.bincount(which, weights=y) / count


def log_log_slope(x_T: ArrayLike, y_T: ArrayLike) -> float:
    """Exponent p of y = c x^p by least squares on logarithms, over the points with both above 0."""
    x, y = check_finite(x_T, "x"), check_finite(y_T, "y")
    check_same_shape(x, y, "x and y")
    used = (x > 0.0) & (y > 0.0)
    if np.unique(x[used]).size < 3:
        raise ValueError("an exponent needs 3 points with both values above 0")
    log_x, log_y = np.log(x[used]), np.log(y[used])
    off = log_x - log_x.mean()
    return float(off @ log_y / (off @ off))


def rank_correlation(x_N: ArrayLike, y_N: ArrayLike) -> float:
    """Spearman's rank correlation, ties at their mean rank.

    Raises:
        ValueError: fewer than 3 values, or one of the two does not vary.
    """
    return correlation(_ranks(check_finite(x_N, "x")), _ranks(check_finite(y_N, "y")))


def correlation(x_N: ArrayLike, y_N: ArrayLike) -> float:
    """Pearson's correlation.

    Raises:
        ValueError: fewer than 3 values, or one of the two does not vary.
    """
    x, y = check_finite(x_N, "x"), check_finite(y_N, "y")
    check_same_shape(x, y, "x and y")
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y))) if x.size >= 3 else 0.0
    if scale == 0.0:
        raise ValueError("a correlation needs 3 values of each, and both must vary")
    return float(x @ y) / scale


def partial_correlation(x_N: ArrayLike, y_N: ArrayLike, given_N: ArrayLike) -> float:
    """Correlation of what a line in `given` leaves of x and of y."""
    x, y, given = (check_finite(one, "values") for one in (x_N, y_N, given_N))
    design = np.stack([np.ones_like(given), given], axis=1)
    rest = [one - design @ np.linalg.lstsq(design, one, rcond=None)[0] for one in (x, y)]
    if any(
        float(one @ one) <= 1e-20 * (1.0 + float(full @ full))
        for one, full in zip(rest, (x, y), strict=True)
    ):
        raise ValueError("x or y is a line in what is held fixed")
    return correlation(*rest)


def _ranks(values: Floats) -> Floats:
    _, which, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2.0)[which], np.float64)
