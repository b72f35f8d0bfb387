"""Forms fitted to curves in closed form, one curve or many at once.

All forms are linear in (a, b) once d is known, so that every fit is one least-squares solution and
two people get the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Bools, Floats, check_distance, check_finite, check_same_shape
from overopt.stats.fits.forms import (
    NO_PEAK,
    Form,
    Peak,
    columns,
    evaluate,
    n_coefficients,
    peak_of,
    zero_of,
)

RANK_TOLERANCE = 1e-10  # singular values below this share of the largest count as 0
GAMMA_GRID = np.round(np.linspace(0.05, 3.0, 60), 2)  # profile grid of the power form


@dataclass(frozen=True)
class Fit:
    """A form with its coefficients and how well it does.

    Attributes:
        form: the form.
        a: coefficient of the rise.
        b: coefficient of the fall.
        gamma: exponent of the power form, else None.
        intercept: constant of the quadratic in d; 0 in all others, which start at the origin.
        n_points: points with d > 0, which are the ones fitted.
        rmse: root mean square residual (weighted if weights were given), unit of the scores.
        aicc: small-sample Akaike criterion, or None when there are too few points for it or the
            residuals are 0.
        r2: 1 - residual / total variation, or None when the scores do not vary.
        d_low: lower end of the range of d, sqrt(nats); 0 when the initial policy is a point.
        d_high: upper end of the range of d, sqrt(nats).
        peak: the peak if b > 0 and it lies within the range, else None.
        peak_reason: why there is no peak, or None when there is one.
        zero_crossing: largest d > 0 at which the form returns to 0, or None.
        gamma_at_edge: the profile over gamma ended at an end of its grid.
    """

    form: Form
    a: float
    b: float
    gamma: float | None
    intercept: float
    n_points: int
    rmse: float
    aicc: float | None
    r2: float | None
    d_low: float
    d_high: float
    peak: Peak | None
    peak_reason: str | None
    zero_crossing: float | None
    gamma_at_edge: bool

    def predict(self, d: ArrayLike) -> Floats:
        """Score of the form at d (sqrt(nats), at least 0), in the unit of the fitted scores."""
        distance = check_distance(d)
        rise, fall = columns(self.form, distance, self.gamma)
        return np.asarray(self.intercept + self.a * rise - self.b * fall, np.float64)


class Curve(NamedTuple):
    """Checked points of one curve: d in sqrt(nats), scores, and positive weights."""

    d_K: Floats
    r_K: Floats
    weight_K: Floats


class Solution(NamedTuple):
    """Least-squares coefficients of one form, before anything is derived from them.

    Attributes:
        form: the form.
        curve: all points.
        gamma: exponent of the power form, else None.
        coefficients: a, b and, for the quadratic in d, the intercept.
        rss: weighted residual sum of squares.
    """

    form: Form
    curve: Curve
    gamma: float | None
    coefficients: Floats
    rss: float

    def predict(self, d: Floats) -> Floats:
        """Score of the form at checked d (sqrt(nats)), in the unit of the fitted scores."""
        return evaluate(self.form, d, self.coefficients, self.gamma)


def check_curve(d: ArrayLike, r: ArrayLike, weights: ArrayLike | None = None) -> Curve:
    """A curve for `solve`.

    Raises:
        ValueError: if d, r or weights are invalid.
    """
    distance, score = check_distance(d), check_finite(r, "scores")
    check_same_shape(distance, score, "d and scores")
    if weights is None:
        return Curve(distance, score, np.ones_like(distance))
    weight = check_finite(weights, "weights")
    check_same_shape(distance, weight, "d and weights")
    if np.any(weight <= 0):
        raise ValueError("weights must be positive")
    return Curve(distance, score, weight)


def solve(
    curves: Sequence[Curve], form: Form, gamma_grid: ArrayLike = GAMMA_GRID
) -> list[Solution | ValueError]:
    """The coefficients of `fit` alone for each of several curves, or why it has none.

    All curves at once: the design of each is padded with rows of weight 0, which leave its
    singular values, and so its solution and rank, as they are.
    """
    needed = n_coefficients(form) + 1
    found: dict[int, Solution | ValueError] = {}
    for j, curve in enumerate(curves):
        count = int(np.count_nonzero(curve.d_K))
        if count < needed:
            found[j] = ValueError(
                f"form {form.value} needs {needed} points with d > 0, got {count}"
            )
    gammas = np.sort(np.ravel(np.asarray(gamma_grid, np.float64)))
    if form is Form.POWER and not gammas.size:
        raise ValueError("the power form needs at least one gamma")
    able = [j for j in range(len(curves)) if j not in found]
    if not able:
        return [found[j] for j in range(len(curves))]
    d_JK, r_JK, weight_JK = _pad([curves[j] for j in able])
    gamma_J = _best_gammas(d_JK, r_JK, weight_JK, gammas) if form is Form.POWER else None
    rise_JK, fall_JK = columns(form, d_JK, None if gamma_J is None else gamma_J[:, None])
    parts = [rise_JK, -fall_JK] + ([np.ones_like(d_JK)] if form is Form.QUADRATIC_D else [])
    root_JK = np.sqrt(weight_JK)
    design_JKC = np.stack(parts, axis=2) * root_JK[:, :, None]
    coefficient_JC, determined_J = _least_squares(design_JKC, r_JK * root_JK)
    residual_JK = r_JK * root_JK - (design_JKC @ coefficient_JC[:, :, None])[:, :, 0]
    rss_J = np.square(residual_JK).sum(axis=1).tolist()
    for place, j in enumerate(able):
        gamma = None if gamma_J is None else float(gamma_J[place])
        found[j] = (
            Solution(form, curves[j], gamma, coefficient_JC[place], rss_J[place])
            if determined_J[place]
            else ValueError(f"the points do not determine the coefficients of {form.value}")
        )
    return [found[j] for j in range(len(curves))]


def _pad(curves: Sequence[Curve]) -> tuple[Floats, Floats, Floats]:
    """d, scores and weights, shape (J, K); points at d = 0 and padding have weight 0."""
    count_J = np.array([curve.d_K.size for curve in curves])
    there_JK = np.arange(count_J.max()) < count_J[:, None]
    d_JK, r_JK, weight_JK = (np.zeros(there_JK.shape) for _ in range(3))
    d_JK[there_JK] = np.concatenate([curve.d_K for curve in curves])
    r_JK[there_JK] = np.concatenate([curve.r_K for curve in curves])
    weight_JK[there_JK] = np.concatenate([curve.weight_K for curve in curves])
    weight_JK[d_JK == 0.0] = 0.0
    used_J = np.count_nonzero(weight_JK, axis=1)
    return d_JK, r_JK, weight_JK * (used_J / weight_JK.sum(axis=1))[:, None]


def _least_squares(design_JKC: Floats, r_JK: Floats) -> tuple[Floats, Bools]:
    """Solutions of J problems, shape (J, C), and whether the points determine each of them.

    By singular values, as `numpy.linalg.lstsq`, which takes one design at a time. Columns are
    scaled to unit norm before, for conditioning only.
    """
    norm_JC = np.linalg.norm(design_JKC, axis=1)
    there_J = (norm_JC > 0.0).all(axis=1)  # the column of the RL form vanishes when every d is 1
    scale_JC = np.where(norm_JC > 0.0, norm_JC, 1.0)
    left_JKC, size_JC, right_JCC = np.linalg.svd(design_JKC / scale_JC[:, None], False)
    determined_J = there_J & (size_JC[:, -1] > RANK_TOLERANCE * size_JC[:, 0])
    inverse_JC = 1.0 / np.where(determined_J[:, None], size_JC, 1.0)
    along_JC = (r_JK[:, None] @ left_JKC)[:, 0] * inverse_JC
    return (along_JC[:, None] @ right_JCC)[:, 0] / scale_JC, determined_J


def _solved(found: Solution | ValueError) -> Solution:
    if isinstance(found, ValueError):
        raise found
    return found


def fit(
    d: ArrayLike,
    r: ArrayLike,
    form: Form,
    weights: ArrayLike | None = None,
    gamma_grid: ArrayLike = GAMMA_GRID,
) -> Fit:
    """Fit one form to scores r at distances d by (weighted) least squares.

    A point at d = 0 is the initial policy, whose score is 0 by definition: it extends the range in
    which a peak may lie but is not fitted, so that all forms are compared on the same points.

    AICc = m log(RSS/m) + 2k + 2k(k+1)/(m-k-1), k counting the coefficients and the variance.

    Args:
        d: sqrt(KL) of each point, sqrt(nats), measured and not read off the knob.
        r: score of each point above that of the initial policy.
        form: the form.
        weights: optional positive weight of each point, such as 1/se^2.
        gamma_grid: exponents tried by the power form.

    Raises:
        ValueError: if d, r or weights are invalid, or there are fewer points with d > 0 than
            coefficients + 1.
    """
    (found,) = solve([check_curve(d, r, weights)], form, gamma_grid)
    return describe(_solved(found), gamma_grid)


def describe(solved: Solution, gamma_grid: ArrayLike = GAMMA_GRID) -> Fit:
    """A fit with what follows from its coefficients: how well it does, peak and zero."""
    form, gamma, rss = solved.form, solved.gamma, solved.rss
    used = solved.curve.d_K > 0
    r_K, weight_K = solved.curve.r_K[used], solved.curve.weight_K[used]
    n_points = r_K.size
    weight_K = weight_K * (n_points / weight_K.sum())
    a, b, intercept = (*solved.coefficients.tolist(), 0.0)[:3]
    total = float(weight_K @ (r_K - (weight_K @ r_K) / weight_K.sum()) ** 2)
    d_low, d_high = float(solved.curve.d_K.min()), float(solved.curve.d_K.max())
    top = peak_of(form, a, b, gamma, intercept)
    if top is not None and not d_low <= top.d <= d_high:
        top = None
    return Fit(
        form=form,
        a=a,
        b=b,
        gamma=gamma,
        intercept=intercept,
        n_points=n_points,
        rmse=float(np.sqrt(rss / n_points)),
        aicc=_aicc(rss, n_points, n_coefficients(form) + 1),
        r2=1.0 - rss / total if total > 0 else None,
        d_low=d_low,
        d_high=d_high,
        peak=top,
        peak_reason=None if top is not None else NO_PEAK,
        zero_crossing=zero_of(form, a, b, gamma, intercept),
        gamma_at_edge=form is Form.POWER
        and gamma in (float(np.min(gamma_grid)), float(np.max(gamma_grid))),
    )


def _best_gammas(d_JK: Floats, r_JK: Floats, weight_JK: Floats, gamma_G: Floats) -> Floats:
    """For each curve the exponent of the power form with the smallest weighted residual.

    Of equals, the first. All exponents at once, by Gram-Schmidt on the two columns; one at which
    the columns are too close to determine the coefficients is returned, for `solve` to refuse.
    """
    if np.any(gamma_G <= 0):
        raise ValueError("the power form needs a positive gamma")
    root_JK = np.sqrt(weight_JK)
    rise_JK = d_JK * root_JK
    rise_JK = rise_JK / np.linalg.norm(rise_JK, axis=1, keepdims=True)
    fall_JGK = d_JK[:, None] ** (1.0 + gamma_G[:, None]) * root_JK[:, None]
    fall_JGK = fall_JGK / np.linalg.norm(fall_JGK, axis=2, keepdims=True)
    apart_JGK = fall_JGK - (fall_JGK @ rise_JK[:, :, None]) * rise_JK[:, None]
    apart_JG = np.linalg.norm(apart_JGK, axis=2)
    undetermined_JG = apart_JG < 2 * RANK_TOLERANCE  # ratio of singular values: half of it
    apart_JGK = apart_JGK / np.where(undetermined_JG, 1.0, apart_JG)[:, :, None]
    score_JK = r_JK * root_JK
    left_JK = score_JK - (score_JK * rise_JK).sum(axis=1, keepdims=True) * rise_JK
    residual_JGK = left_JK[:, None] - (apart_JGK @ left_JK[:, :, None]) * apart_JGK
    error_JG = np.where(undetermined_JG, -1.0, np.square(residual_JGK).sum(axis=2))
    return gamma_G[error_JG.argmin(axis=1)]


def _aicc(rss: float, n_points: int, k: int) -> float | None:
    if rss <= 0 or n_points - k - 1 <= 0:
        return None
    correction = 2.0 * k * (k + 1) / (n_points - k - 1)
    return n_points * float(np.log(rss / n_points)) + 2.0 * k + correction
