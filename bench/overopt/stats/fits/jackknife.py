"""How sure a fit to one set of prompts is: leave one prompt out, and see how the fit moves.

A fit to a mean curve has no seeds to take an interval over, and its points are far from
independent, because every n reuses the same samples. Prompts are independent. Leaving each out in
turn carries what a prompt does at all n at once, in KL as in score, needs no random numbers, and
follows the mean also where small pools drop out at large n.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Bools, Floats, check_finite, check_same_shape, distance_from_kl
from overopt.stats.fits.forms import Form, peak_of
from overopt.stats.fits.least_squares import Fit, check_curve, fit, solve
from overopt.stats.intervals import Interval
from overopt.stats.students_t import EXPLORATORY_BELOW, t_half_width


@dataclass(frozen=True)
class PromptFit:
    """A form fitted to a mean curve over prompts, with intervals over prompts.

    Attributes:
        fit: the fit to the mean curve.
        a: coefficient of the rise with its interval.
        b: coefficient of the fall with its interval.
        peak_d: peak position, sqrt(nats), or None without a peak in range. Its bounds are missing
            when leaving out some prompt leaves no peak at all.
        peak_height: peak height, likewise.
        n_prompts: prompts.
    """

    fit: Fit
    a: Interval
    b: Interval
    peak_d: Interval | None
    peak_height: Interval | None
    n_prompts: int


def jackknife_interval(estimate: float, left_out_B: ArrayLike, level: float = 0.95) -> Interval:
    """Interval of an estimate from its values with each prompt left out.

    se^2 = (B - 1)/B sum_b (theta_(b) - mean theta_(.))^2, and estimate +- t_{B-1} se. For a mean
    this is the ordinary t interval.

    Args:
        estimate: value from all prompts.
        left_out_B: value with each prompt left out; fewer than two give no interval.
        level: coverage.

    Raises:
        ValueError: if a value is NaN or infinite.

    Reference:
        Efron and Stein, "The Jackknife Estimate of Variance", 1981 (from memory).
    """
    left_out = np.asarray(left_out_B, np.float64)
    n = left_out.size
    if n < 2:
        return Interval(estimate, None, None, None, n, level, True)
    spread = np.sum((check_finite(left_out, "estimates") - left_out.mean()) ** 2)
    se = float(np.sqrt((n - 1) / n * spread))
    half = t_half_width(se, n - 1, level)
    exploratory = n < EXPLORATORY_BELOW
    return Interval(estimate, estimate - half, estimate + half, se, n, level, exploratory)


def fit_prompts(
    kl_BK: ArrayLike, rise_BK: ArrayLike, kept_BK: ArrayLike, form: Form, level: float = 0.95
) -> PromptFit:
    """Fit a form to the mean over prompts of their curves, with jackknife intervals over prompts.

    A grid point lies at d = sqrt(mean KL over its prompts); both its KL and its score move when a
    prompt is left out. The gamma of the power form is held at its estimate meanwhile.

    Args:
        kl_BK: KL of each prompt at each grid point, nats; read only where kept.
        rise_BK: score of each prompt above its initial score; read only where kept.
        kept_BK: which cells exist; every column needs one.
        form: the form.
        level: coverage.

    Raises:
        ValueError: if shapes differ, a column has no prompt, and as `fit`.
    """
    kept = np.asarray(kept_BK, np.bool_)
    kl, rise = (np.where(kept, np.asarray(one, np.float64), 0.0) for one in (kl_BK, rise_BK))
    for values, name in ((kl, "KL"), (rise, "rise")):
        check_same_shape(values, kept, f"{name} and kept")
        check_finite(values, name)
    count_K = kept.sum(axis=0)
    if np.any(count_K == 0):
        raise ValueError("every grid point needs at least one prompt")
    d_K = distance_from_kl(kl.sum(axis=0) / count_K)
    fitted = fit(d_K, rise.sum(axis=0) / count_K, form)
    solved = _solve_without_each(kl, rise, kept, form, fitted.gamma)
    peak_d: Interval | None = None
    peak_height: Interval | None = None
    if fitted.peak is not None:
        constant = solved[2] if form is Form.QUADRATIC_D else np.zeros(solved.shape[1])
        peaks = [
            peak_of(form, float(a), float(b), fitted.gamma, float(c))
            for a, b, c in zip(solved[0], solved[1], constant, strict=True)
        ]
        found = [peak for peak in peaks if peak is not None]
        complete = found if len(found) == len(peaks) else []
        peak_d = jackknife_interval(fitted.peak.d, [p.d for p in complete], level)
        peak_height = jackknife_interval(fitted.peak.height, [p.height for p in complete], level)
    return PromptFit(
        fit=fitted,
        a=jackknife_interval(fitted.a, solved[0], level),
        b=jackknife_interval(fitted.b, solved[1], level),
        peak_d=peak_d,
        peak_height=peak_height,
        n_prompts=rise.shape[0],
    )


def _solve_without_each(
    kl_BK: Floats, rise_BK: Floats, kept_BK: Bools, form: Form, gamma: float | None
) -> Floats:
    """Coefficients without each prompt, (C, B); none where some prompt cannot be left out.

    That is so where a grid point has no other prompt, or the others do not determine the form.
    """
    count_BK = kept_BK.sum(axis=0) - kept_BK
    if np.any(count_BK == 0):
        return np.empty((2, 0), np.float64)
    d_BK = distance_from_kl(np.maximum(kl_BK.sum(axis=0) - kl_BK, 0.0) / count_BK)
    left_BK = (rise_BK.sum(axis=0) - rise_BK) / count_BK
    curves = [check_curve(d_K, left_K) for d_K, left_K in zip(d_BK, left_BK, strict=True)]
    coefficients = [
        one.coefficients
        for one in solve(curves, form, [] if gamma is None else [gamma])
        if not isinstance(one, ValueError)
    ]
    if len(coefficients) < len(curves):
        return np.empty((2, 0), np.float64)
    return np.stack(coefficients, axis=1)
