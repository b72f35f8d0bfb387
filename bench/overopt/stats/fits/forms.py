"""Functional forms of the gold score in d = sqrt(KL): their columns, peaks and zeros.

Peaks are derived by setting the derivative to 0. `overopt.stats.fits.least_squares` fits the forms.
"""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]

NO_PEAK = "no peak in range"
FARTHEST_D = 1e6  # a peak or zero beyond this d (KL of 1e12 nats) is nowhere


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


def n_coefficients(form: Form) -> int:
    """Number of fitted coefficients of a form: a and b, and gamma or the intercept."""
    return 3 if form in (Form.POWER, Form.QUADRATIC_D) else 2


def columns(form: Form, d: Floats, gamma: float | Floats | None) -> tuple[Floats, Floats]:
    """The two functions of d that a and -b multiply; several gammas broadcast against d."""
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
            if gamma is None or np.any(np.asarray(gamma) <= 0):
                raise ValueError("the power form needs a positive gamma")
            return d, d ** (1.0 + gamma)


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
    height = evaluate(form, np.array([d]), np.array([a, b, intercept]), gamma)
    return Peak(float(d), float(d) ** 2, float(height[0]))


def zero_of(form: Form, a: float, b: float, gamma: float | None, intercept: float) -> float | None:
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


def evaluate(form: Form, d: Floats, coefficients: Floats, gamma: float | None) -> Floats:
    """A form at checked d, from a, b and, for the quadratic in d, the intercept."""
    rise, fall = columns(form, d, gamma)
    constant = coefficients[2] if form is Form.QUADRATIC_D else 0.0
    return np.asarray(constant + coefficients[0] * rise - coefficients[1] * fall, np.float64)


def _exp(x: float) -> float:
    """exp(x), infinite where it is too large to be a float."""
    return float(np.exp(x)) if x < 700.0 else float("inf")
