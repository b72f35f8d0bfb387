"""Fits over seeds: one fit per seed, then t intervals over the seeds' coefficients and peaks."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from overopt.stats.forms import NO_PEAK, Fit, Form, fit
from overopt.stats.intervals import EXPLORATORY_BELOW, Interval, t_interval


@dataclass(frozen=True)
class SeedFits:
    """Fits of one form, a seed each, and what they say together.

    Attributes:
        form: the form.
        fits_S: one fit per seed.
        a: t interval over seeds of a.
        b: t interval over seeds of b.
        peak_d: t interval of the peak position, sqrt(nats), over the seeds that have a peak.
        peak_height: t interval of the peak height over the seeds that have a peak.
        n_peaks: seeds that have a peak within their range.
        n_seeds: seeds.
        peak_reason: "no peak in range" when no seed has one, else None.
        exploratory: fewer than 5 seeds.
    """

    form: Form
    fits_S: tuple[Fit, ...]
    a: Interval
    b: Interval
    peak_d: Interval
    peak_height: Interval
    n_peaks: int
    n_seeds: int
    peak_reason: str | None
    exploratory: bool


def fit_seeds(
    d_S: Sequence[ArrayLike], r_S: Sequence[ArrayLike], form: Form, level: float = 0.95
) -> SeedFits:
    """Fit a form to each seed's own points and put t intervals over seeds on the results.

    Intervals of the peak speak only of the seeds that have one, which `n_peaks` counts.

    Args:
        d_S: for each seed, sqrt(KL) of its points, sqrt(nats); lengths may differ.
        r_S: for each seed, the scores above its initial policy.
        form: the form.
        level: coverage.

    Raises:
        ValueError: if there is no seed, the numbers of seeds differ, and as `fit`.
    """
    if len(d_S) == 0 or len(d_S) != len(r_S):
        raise ValueError(f"got distances of {len(d_S)} seeds and scores of {len(r_S)}")
    fits = tuple(fit(d, r, form) for d, r in zip(d_S, r_S, strict=True))
    peaks = [one.peak for one in fits if one.peak is not None]
    return SeedFits(
        form=form,
        fits_S=fits,
        a=t_interval([one.a for one in fits], level),
        b=t_interval([one.b for one in fits], level),
        peak_d=t_interval([peak.d for peak in peaks], level),
        peak_height=t_interval([peak.height for peak in peaks], level),
        n_peaks=len(peaks),
        n_seeds=len(fits),
        peak_reason=None if peaks else NO_PEAK,
        exploratory=len(fits) < EXPLORATORY_BELOW,
    )
