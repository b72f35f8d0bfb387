"""Fits over seeds: one fit per seed, then t intervals over the seeds' coefficients and peaks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from overopt.stats.fits.forms import NO_PEAK, Form
from overopt.stats.fits.least_squares import Fit, Solution, check_curve, describe, solve
from overopt.stats.fits.left_out import LeftOut, each_seed, split_refused
from overopt.stats.intervals import Interval, t_interval
from overopt.stats.students_t import EXPLORATORY_BELOW


@dataclass(frozen=True)
class SeedFits:
    """Fits of one form, a seed each, and what they say together.

    Attributes:
        form: the form.
        fits_S: one fit per seed whose points determine the form.
        fitted_S: positions of those seeds among all.
        left_out: the other seeds.
        a: t interval over the fitted seeds of a.
        b: t interval over the fitted seeds of b.
        peak_d: t interval of the peak position, sqrt(nats), over the seeds that have a peak.
        peak_height: t interval of the peak height over the seeds that have a peak.
        n_peaks: seeds that have a peak within their range.
        peak_reason: "no peak in range" when seeds were fitted and none has one, else None.
        exploratory: fewer than 5 seeds were fitted.
    """

    form: Form
    fits_S: tuple[Fit, ...]
    fitted_S: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    a: Interval
    b: Interval
    peak_d: Interval
    peak_height: Interval
    n_peaks: int
    peak_reason: str | None
    exploratory: bool


def fit_seeds(
    d_S: Sequence[ArrayLike], r_S: Sequence[ArrayLike], form: Form, level: float = 0.95
) -> SeedFits:
    """Fit a form to each seed's own points and put t intervals over seeds on the results.

    A seed whose points do not determine the form is left out and named with the reason. Intervals
    of the peak speak only of the seeds that have one, which `n_peaks` counts.

    Args:
        d_S: for each seed, sqrt(KL) of its points, sqrt(nats); lengths may differ.
        r_S: for each seed, the scores above its initial policy.
        form: the form.
        level: coverage.

    Raises:
        ValueError: if the numbers of seeds differ.
    """
    curves, invalid = each_seed(check_curve, d_S, r_S)
    return gather_fits(form, curves, invalid, solve(list(curves.values()), form), level)


def gather_fits(
    form: Form,
    seeds: Iterable[int],
    invalid: tuple[LeftOut, ...],
    solved: Iterable[Solution | ValueError],
    level: float = 0.95,
) -> SeedFits:
    """`fit_seeds` of curves that are solved already.

    Args:
        form: the form.
        seeds: positions of the seeds that have a curve.
        invalid: the other seeds.
        solved: what `solve` found for these curves, in their order.
        level: coverage.
    """
    usable, unsolved = split_refused(seeds, solved)
    found = {seed: describe(one) for seed, one in usable.items()}
    left_out = tuple(sorted(invalid + unsolved))
    fits = tuple(found.values())
    peaks = [one.peak for one in fits if one.peak is not None]
    return SeedFits(
        form=form,
        fits_S=fits,
        fitted_S=tuple(found),
        left_out=left_out,
        a=t_interval([one.a for one in fits], level),
        b=t_interval([one.b for one in fits], level),
        peak_d=t_interval([peak.d for peak in peaks], level),
        peak_height=t_interval([peak.height for peak in peaks], level),
        n_peaks=len(peaks),
        peak_reason=NO_PEAK if fits and not peaks else None,
        exploratory=len(fits) < EXPLORATORY_BELOW,
    )
