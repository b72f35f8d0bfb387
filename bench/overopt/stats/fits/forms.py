"""Functional forms of the gold score in d = sqrt(KL), fitted in closed form.

All forms are linear in (a, b) once d is known, so that every fit is one least-squares solution and
two people get the same numbers. Peaks are derived by setting the derivative to 0.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from overopt.stats.arrays import Floats, check_finite, check_same_shape

NO_PEAK = "no peak in range"
FARTHEST_D = 1e6  # a peak or zero beyond this d (KL of 1e12 nats) is nowhere
GAMMA_GRID = np.round(np.linspace(0.05, 3.0, 60), 2)  # profile grid of the power form


class Form(StrEnum):
    """The forms, with r the score above the initial policy and d = sqrt(KL in nats).

    Reference:
        Gao, Schulman, Hilton, "Scaling Laws for Reward Model Overoptimization", 2022,
        https://arxiv.org/abs/2210.10760: BON and RL in Sec. 1 and 3; LOG1P and POWER are the
        alternatives of App. B. The quadratic in KL is the comparison of Rafailov et al., "Scaling
        Laws for Reward Model Overoptimization in Direct Alignment Algorithms", 2024,
        https://arxiv.org/abs/2406.02900 (from notes, not verified). QUADRATIC_D is ours.
    """

    BON = "bon"  #                    d (a - b d)
    RL = "rl"  #                      d (a - b log d), 0 at d = 0 by its limit
    LOG1P = "log1p"  #                d (a - b log(1 + d))
    POWER = "power"  #                d (a - b d^gamma), gamma on a grid
    QUADRATIC_KL = "quadratic_kl"  #  a KL - b KL^2
    QUADRATIC_D = "quadratic_d"  #    c + a d - b d^2: does not pass through the origin


class Peak(NamedTuple):
    """Highest point of a fitted form.

    Attributes:
        d: position, sqrt(nats).
        kl_nats: position, nats.
        height: score there, in the unit of the fitted scores.
    """

    d: float
    kl_nats: float
    height: float


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


def distance_from_kl(kl_nats: ArrayLike) -> Floats:
    """d = sqrt(KL), in sqrt(nats).

    Raises:
        ValueError: if a KL is negative, which an unbiased estimator such as k1 can produce.
    """
    kl = check_finite(kl_nats, "KL")
    if np.any(kl < 0):
        raise ValueError(f"KL is negative ({kl.min():.3g} nats): d = sqrt(KL) does not exist")
    return np.sqrt(kl)


def check_distance(d: ArrayLike) -> Floats:
    """Return d as float64, refusing negative, NaN and infinite values."""
    distance = check_finite(d, "d")
    if np.any(distance < 0):
        raise ValueError("d = sqrt(KL) must be at least 0")
    return distance


def n_coefficients(form: Form) -> int:
    """Number of fitted coefficients of a form: a and b, and gamma or the intercept."""
    return 3 if form in (Form.POWER, Form.QUADRATIC_D) else 2


def columns(form: Form, d: Floats, gamma: float | None) -> tuple[Floats, Floats]:
    """The two functions of d that a and -b multiply."""
    match form:
        case Form.BON | Form.QUADRATIC_D:
            return d, d**2
        case Form.RL:
            return d, d * np.log(np.where(d > 0, d, 1.0))
        case Form.LOG1P:
            return d, d * np.log1p(d)
        case Form.QUADRATIC_KL:
            return d**2, d**4
        case Form.POWER:
            if gamma is None or gamma <= 0:
                raise ValueError("the power form needs a positive gamma")
            return d, d ** (1.0 + gamma)


def solve_least_squares(
    form: Form, d_K: Floats, r_KJ: Floats, weight_K: Floats, gamma: float | None
) -> Floats:
    """Weighted least-squares coefficients of J curves over the same d, shape (C, J).

    Rows are a, b and, for the quadratic in d, the intercept. Columns of the design are scaled to
    unit norm before the solution, for conditioning only.

    Raises:
        ValueError: if the points do not determine the coefficients (too few distinct d).
    """
    rise, fall = columns(form, d_K, gamma)
    parts = [rise, -fall] + ([np.ones_like(d_K)] if form is Form.QUADRATIC_D else [])
    root_weight = np.sqrt(weight_K)[:, None]
    design = np.stack(parts, axis=1) * root_weight
    norm = np.linalg.norm(design, axis=0)
    if np.any(norm == 0.0):  # the column of the RL form vanishes when every d is 1
        raise ValueError(f"the points do not determine the coefficients of {form.value}")
    solution, _, rank, _ = np.linalg.lstsq(design / norm, r_KJ * root_weight, rcond=1e-10)
    if rank < design.shape[1]:
        raise ValueError(f"the points do not determine the coefficients of {form.value}")
    return np.asarray(solution / norm[:, None], np.float64)


class Solution(NamedTuple):
    """Least-squares coefficients of one form, before anything is derived from them.

    Attributes:
        form: the form.
        d: sqrt(KL) of all points, sqrt(nats).
        r_K: scores of the fitted points.
        weight_K: their weights, of mean 1.
        gamma: exponent of the power form, else None.
        coefficients: a, b and, for the quadratic in d, the intercept.
        rss: weighted residual sum of squares.
    """

    form: Form
    d: Floats
    r_K: Floats
    weight_K: Floats
    gamma: float | None
    coefficients: Floats
    rss: float

    def predict(self, d: ArrayLike) -> Floats:
        """Score of the form at d (sqrt(nats), at least 0), in the unit of the fitted scores."""
        return _evaluate(self.form, check_distance(d), self.coefficients, self.gamma)


def solve(
    d: ArrayLike,
    r: ArrayLike,
    form: Form,
    weights: ArrayLike | None = None,
    gamma_grid: ArrayLike = GAMMA_GRID,
) -> Solution:
    """The coefficients of `fit` alone, with its arguments and errors."""
    distance, score = check_distance(d), check_finite(r, "scores")
    check_same_shape(distance, score, "d and scores")
    weight = np.ones_like(distance) if weights is None else check_finite(weights, "weights")
    check_same_shape(distance, weight, "d and weights")
    if np.any(weight <= 0):
        raise ValueError("weights must be positive")
    used = distance > 0
    n_points, needed = int(used.sum()), n_coefficients(form) + 1
    if n_points < needed:
        raise ValueError(f"form {form.value} needs {needed} points with d > 0, got {n_points}")
    d_K, r_K, w_K = distance[used], score[used], weight[used] / weight[used].mean()
    gammas = np.sort(np.ravel(np.asarray(gamma_grid, np.float64)))
    if form is Form.POWER and not gammas.size:
        raise ValueError("the power form needs at least one gamma")
    gamma = _best_gamma(d_K, r_K, w_K, gammas) if form is Form.POWER else None
    coefficients = solve_least_squares(form, d_K, r_K[:, None], w_K, gamma)[:, 0]
    rss = float(w_K @ (r_K - _evaluate(form, d_K, coefficients, gamma)) ** 2)
    return Solution(form, distance, r_K, w_K, gamma, coefficients, rss)


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
    solved = solve(d, r, form, weights, gamma_grid)
    distance, r_K, w_K, gamma = solved.d, solved.r_K, solved.weight_K, solved.gamma
    n_points, rss = r_K.size, solved.rss
    a, b = (float(value) for value in solved.coefficients[:2])
    intercept = float(solved.coefficients[2]) if form is Form.QUADRATIC_D else 0.0
    total = float(w_K @ (r_K - (w_K @ r_K) / w_K.sum()) ** 2)
    d_low, d_high = float(distance.min()), float(distance.max())
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
        zero_crossing=_find_zero(form, a, b, gamma, intercept),
        gamma_at_edge=form is Form.POWER
        and gamma in (float(np.min(gamma_grid)), float(np.max(gamma_grid))),
    )


def _best_gamma(d_K: Floats, r_K: Floats, weight_K: Floats, gamma_G: Floats) -> float:
    """The exponent of the power form with the smallest weighted residual; of equals, the first.

    All exponents at once, by Gram-Schmidt on the two columns; one at which the columns are too
    close to determine the coefficients is returned, for `solve_least_squares` to refuse.
    """
    if np.any(gamma_G <= 0):
        raise ValueError("the power form needs a positive gamma")
    root_K = np.sqrt(weight_K)
    rise_K = d_K * root_K
    rise_K = rise_K / np.linalg.norm(rise_K)
    fall_GK = d_K ** (1.0 + gamma_G[:, None]) * root_K
    fall_GK = fall_GK / np.linalg.norm(fall_GK, axis=1, keepdims=True)
    apart_GK = fall_GK - (fall_GK @ rise_K)[:, None] * rise_K
    apart_G = np.linalg.norm(apart_GK, axis=1)
    undetermined = np.flatnonzero(apart_G < 2e-10)  # ratio of singular values: half of it
    if undetermined.size:
        return float(gamma_G[undetermined[0]])
    apart_GK = apart_GK / apart_G[:, None]
    score_K = r_K * root_K
    left_K = score_K - (score_K @ rise_K) * rise_K
    residual_GK = left_K - (apart_GK @ left_K)[:, None] * apart_GK
    return float(gamma_G[np.argmin((residual_GK**2).sum(axis=1))])


def peak_of(form: Form, a: float, b: float, gamma: float | None, intercept: float) -> Peak | None:
    """Interior maximum of a form over d > 0 whatever the fitted range, or None.

    BON d* = a/2b, height a^2/4b. RL d* = exp(a/b - 1), height b d*. LOG1P: the root of
    log(1+d) + d/(1+d) = a/b. POWER d* = (a / (b (1+gamma)))^(1/gamma), height a d* gamma/(1+gamma).
    QUADRATIC_KL: KL* = a/2b. QUADRATIC_D d* = a/2b, height c + a^2/4b. All need b > 0, and all but
    RL need a > 0.
    """
    if b <= 0 or (a <= 0 and form is not Form.RL):
        return None
    ratio = a / b
    match form:
        case Form.BON | Form.QUADRATIC_D:
            d = ratio / 2.0
        case Form.RL:
            d = _exp(ratio - 1.0)
        case Form.LOG1P:
            # log(1+d) <= a/b <= log(1+d) + 1 at the root brackets it
            low, high = _exp(ratio - 1.0) - 1.0, _exp(ratio) - 1.0
            if low > FARTHEST_D:
                return None
            d = brentq(lambda x: np.log1p(x) + x / (1.0 + x) - ratio, max(low, 0.0), high)
        case Form.QUADRATIC_KL:
            d = float(np.sqrt(ratio / 2.0))
        case Form.POWER:
            if gamma is None:
                raise ValueError("the power form needs a positive gamma")
            d = _exp(np.log(ratio / (1.0 + gamma)) / gamma)
    if not 0.0 < d <= FARTHEST_D:
        return None
    height = _evaluate(form, np.array([d]), np.array([a, b, intercept]), gamma)
    return Peak(float(d), float(d) ** 2, float(height[0]))


def _find_zero(
    form: Form, a: float, b: float, gamma: float | None, intercept: float
) -> float | None:
    """Largest d > 0 with score 0: BON a/b, RL exp(a/b), LOG1P exp(a/b) - 1, POWER (a/b)^(1/gamma),
    QUADRATIC_KL sqrt(a/b), QUADRATIC_D the larger root; None where there is none or b <= 0."""
    if b <= 0:
        return None
    ratio = a / b
    if form is Form.RL:
        zero = _exp(ratio)
    elif form is Form.QUADRATIC_D:
        discriminant = a * a + 4.0 * b * intercept
        zero = (a + np.sqrt(discriminant)) / (2.0 * b) if discriminant >= 0 else -1.0
    elif a <= 0:
        return None
    elif form is Form.LOG1P:
        zero = _exp(ratio) - 1.0
    elif form is Form.POWER and gamma is not None:
        zero = _exp(np.log(ratio) / gamma)
    else:
        zero = float(np.sqrt(ratio)) if form is Form.QUADRATIC_KL else ratio
    return float(zero) if 0.0 < zero <= FARTHEST_D else None


def _evaluate(form: Form, d: Floats, coefficients: Floats, gamma: float | None) -> Floats:
    rise, fall = columns(form, d, gamma)
    constant = coefficients[2] if form is Form.QUADRATIC_D else 0.0
    return np.asarray(constant + coefficients[0] * rise - coefficients[1] * fall, np.float64)


def _aicc(rss: float, n_points: int, k: int) -> float | None:
    if rss <= 0 or n_points - k - 1 <= 0:
        return None
    correction = 2.0 * k * (k + 1) / (n_points - k - 1)
    return n_points * float(np.log(rss / n_points)) + 2.0 * k + correction


def _exp(x: float) -> float:
    """exp(x), infinite where it is too large to be a float."""
    return float(np.exp(x)) if x < 700.0 else float("inf")
