"""What a form predicts of the far end of a curve, beside what a constant predicts of it.

A curve is cut in two along KL, the near part is fitted and the far part predicted. Where the cut
lies decides what is asked: with the peak among the fitted points a form has seen the turn and must
say how fast gold falls; without it, it must foresee the turn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, check_finite, check_same_shape
from overopt.stats.fits.forms import Form, check_distance, solve
from overopt.stats.fits.left_out import LeftOut, each_seed
from overopt.stats.intervals import Interval, t_interval


class Split(StrEnum):
    """Where a curve is cut, by its peak; what is beyond the fitted points is held out."""

    WITH_PEAK = "with_peak"
    """Fitted: the points up to the peak, and of those beyond it the nearer half, rounded up."""
    BEFORE_PEAK = "before_peak"
    """Fitted: the points before the peak, which is the first one held out."""


class HoldoutError(NamedTuple):
    """Error of a form on points beyond those that it was fitted to.

    Attributes:
        rmse: root mean square error of the form on the held-out points, unit of the scores.
        constant_rmse: the same of the baseline, which stays at the score of the last fitted point.
        n_fitted: points fitted.
        n_held_out: points predicted.
        d_split: largest d of the fitted points, sqrt(nats).
    """

    rmse: float
    constant_rmse: float
    n_fitted: int
    n_held_out: int
    d_split: float


@dataclass(frozen=True)
class SeedHoldouts:
    """Held-out errors of one form and one split over seeds.

    Attributes:
        errors_S: one error per seed that could be split and fitted.
        split_S: positions of those seeds among all.
        rmse: t interval over those seeds of the form's error.
        constant_rmse: of the baseline's error, over the same seeds.
        gain: of the baseline's error less the form's; above 0 where the form predicts better.
        left_out: the other seeds.
    """

    errors_S: tuple[HoldoutError, ...]
    split_S: tuple[int, ...]
    rmse: Interval
    constant_rmse: Interval
    gain: Interval
    left_out: tuple[LeftOut, ...]


def count_fitted(d: ArrayLike, d_peak: float, split: Split) -> int:
    """How many of the points with d > 0, nearest first, are fitted under a split.

    Args:
        d: sqrt(KL) of each point, sqrt(nats).
        d_peak: where the peak lies, chosen on other data; the point nearest to it stands for it.
        split: where to cut.

    Raises:
        ValueError: if a value is invalid, or one of the two parts would be empty.
    """
    distance = np.sort(check_distance(d))
    distance = distance[distance > 0]
    if not distance.size:
        raise ValueError("there is no point with d > 0")
    peak = int(np.argmin(np.abs(distance - float(check_distance(d_peak)))))
    if split is Split.BEFORE_PEAK:
        if peak == 0:
            raise ValueError("the peak is the first point")
        return peak
    beyond = distance.size - 1 - peak
    if beyond < 2:
        raise ValueError(f"{beyond or 'no'} point{'' if beyond == 1 else 's'} beyond the peak")
    return peak + 1 + (beyond + 1) // 2


def holdout_error(
    d: ArrayLike, r: ArrayLike, form: Form, n_fitted: int, weights: ArrayLike | None = None
) -> HoldoutError:
    """Fit the near points of a curve and measure the error on the others.

    Args:
        d: sqrt(KL) of each point, sqrt(nats); points at d = 0 count in neither part.
        r: score of each point above that of the initial policy.
        form: the form.
        n_fitted: how many points are fitted, nearest first.
        weights: optional positive weights of the points.

    Raises:
        ValueError: if nothing is held out, and as `forms.fit`.
    """
    distance, score = check_distance(d), check_finite(r, "scores")
    check_same_shape(distance, score, "d and scores")
    order = np.argsort(distance, kind="stable")
    order = order[distance[order] > 0]
    near, far = order[:n_fitted], order[n_fitted:]
    if not 0 < n_fitted < order.size:
        raise ValueError(f"{n_fitted} of {order.size} points cannot be fitted and others held out")
    part = None if weights is None else check_finite(weights, "weights")[near]
    fitted = solve(distance[near], score[near], form, part)
    return HoldoutError(
        rmse=_rms(score[far] - fitted.predict(distance[far])),
        constant_rmse=_rms(score[far] - score[near[-1]]),
        n_fitted=int(near.size),
        n_held_out=int(far.size),
        d_split=float(distance[near[-1]]),
    )


def hold_out_seeds(
    d_S: Sequence[ArrayLike],
    r_S: Sequence[ArrayLike],
    d_peak_S: Sequence[float],
    form: Form,
    split: Split,
    level: float = 0.95,
) -> SeedHoldouts:
    """Held-out errors of each seed's own points, with t intervals over seeds.

    Args:
        d_S: for each seed, sqrt(KL) of its points, sqrt(nats).
        r_S: for each seed, the scores above its initial policy.
        d_peak_S: for each seed, where the peak lies, sqrt(nats).
        form: the form.
        split: where to cut.
        level: coverage.

    Raises:
        ValueError: if the numbers of seeds differ.
    """

    def one(d: ArrayLike, r: ArrayLike, d_peak: float) -> HoldoutError:
        return holdout_error(d, r, form, count_fitted(d, d_peak, split))

    found, left_out = each_seed(one, d_S, r_S, d_peak_S)
    rmse = np.array([error.rmse for error in found.values()])
    constant = np.array([error.constant_rmse for error in found.values()])
    return SeedHoldouts(
        errors_S=tuple(found.values()),
        split_S=tuple(found),
        rmse=t_interval(rmse, level),
        constant_rmse=t_interval(constant, level),
        gain=t_interval(constant - rmse, level),
        left_out=left_out,
    )


def choose_form(holdouts: Mapping[Form, SeedHoldouts]) -> Form | None:
    """The form of the lowest mean held-out error, over the seeds that all forms have.

    Returns:
        The form, or None where no seed has an error of every form.
    """
    common = set.intersection(*(set(one.split_S) for one in holdouts.values()))
    if not common:
        return None

    def mean_rmse(form: Form) -> float:
        one = holdouts[form]
        errors = zip(one.split_S, one.errors_S, strict=True)
        return float(np.mean([error.rmse for seed, error in errors if seed in common]))

    return min(holdouts, key=mean_rmse)


def peak_of_others(d_S: Sequence[ArrayLike], r_S: Sequence[ArrayLike]) -> tuple[float, ...]:
    """For each seed the median over the other seeds of where their highest point lies, sqrt(nats).

    A stand-in where no peak was chosen on other data. A single seed's own highest point has to
    do: it is high by chance too, which makes what follows look like a fall.

    Raises:
        ValueError: if there is no seed or a seed has no point, shapes differ, or a value is NaN.
    """
    highest: list[float] = []
    for d, r in zip(d_S, r_S, strict=True):
        distance, score = check_distance(d), check_finite(r, "scores")
        check_same_shape(distance, score, "d and scores")
        highest.append(float(distance[int(np.argmax(score))]))
    if not highest:
        raise ValueError("there is no seed")
    if len(highest) == 1:
        return (highest[0],)
    return tuple(float(np.median(np.delete(highest, s))) for s in range(len(highest)))


def _rms(residual: Floats) -> float:
    return float(np.sqrt(np.mean(residual**2)))
