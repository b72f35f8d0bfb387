"""What a form predicts of the far end of a curve, beside what a constant predicts of it.

A curve is cut in two along KL, the near part is fitted and the far part predicted. Where the cut
lies decides what is asked: with the peak among the fitted points a form has seen the turn and must
say how fast gold falls; without it, it must foresee the turn.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, check_distance, check_finite, check_same_shape
from overopt.stats.fits.forms import Form
from overopt.stats.fits.least_squares import Curve, Solution, check_curve, solve
from overopt.stats.fits.left_out import LeftOut, each_seed, split_refused
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


class Cut(NamedTuple):
    """A curve in two parts: the points that are fitted, and those further on, nearest first."""

    near: Curve
    far: Curve


def cut_curve(d: ArrayLike, r: ArrayLike, n_fitted: int) -> Cut:
    """Cut a curve behind its nearest points.

    Args:
        d: sqrt(KL) of each point, sqrt(nats); points at d = 0 count in neither part.
        r: score of each point above that of the initial policy.
        n_fitted: how many points are fitted, nearest first.

    Raises:
        ValueError: if a value is invalid, or one of the parts would be empty.
    """
    curve = check_curve(d, r)
    order = np.argsort(curve.d_K, kind="stable")
    order = order[curve.d_K[order] > 0]
    if not 0 < n_fitted < order.size:
        raise ValueError(f"{n_fitted} of {order.size} points cannot be fitted and others held out")
    near, far = (
        Curve(curve.d_K[part], curve.r_K[part], curve.weight_K[part])
        for part in (order[:n_fitted], order[n_fitted:])
    )
    return Cut(near, far)


def holdout_errors(
    cuts: Sequence[Cut], solved: Sequence[Solution | ValueError]
) -> list[HoldoutError | ValueError]:
    """The errors of forms fitted to the near points on the others.

    Args:
        cuts: the curves.
        solved: what `solve` found for their near points.

    Returns:
        The errors, or why a curve has none: its near points do not determine the form.
    """
    return [
        one if isinstance(one, ValueError) else _error(cut, one)
        for cut, one in zip(cuts, solved, strict=True)
    ]


def _error(cut: Cut, fitted: Solution) -> HoldoutError:
    near, far = cut
    return HoldoutError(
        rmse=_rms(far.r_K - fitted.predict(far.d_K)),
        constant_rmse=_rms(far.r_K - near.r_K[-1]),
        n_fitted=int(near.d_K.size),
        n_held_out=int(far.d_K.size),
        d_split=float(near.d_K[-1]),
    )


@dataclass(frozen=True)
class Cuts:
    """Curves of seeds under one split, by their positions among all, and the other seeds."""

    cut_S: Mapping[int, Cut]
    left_out: tuple[LeftOut, ...]


def cut_seeds(
    d_S: Sequence[ArrayLike], r_S: Sequence[ArrayLike], d_peak_S: Sequence[float], split: Split
) -> Cuts:
    """Cut each seed's own points, whatever form is then fitted.

    Args:
        d_S: for each seed, sqrt(KL) of its points, sqrt(nats).
        r_S: for each seed, the scores above its initial policy.
        d_peak_S: for each seed, where the peak lies, sqrt(nats).
        split: where to cut.

    Raises:
        ValueError: if the numbers of seeds differ.
    """

    def one(d: ArrayLike, r: ArrayLike, d_peak: float) -> Cut:
        return cut_curve(d, r, count_fitted(d, d_peak, split))

    return Cuts(*each_seed(one, d_S, r_S, d_peak_S))


def hold_out_seeds(cuts: Cuts, form: Form, level: float = 0.95) -> SeedHoldouts:
    """Held-out errors of each seed's own points, with t intervals over seeds.

    Args:
        cuts: the seeds' curves (`cut_seeds`).
        form: the form.
        level: coverage.
    """
    return gather_holdouts(cuts, solve([cut.near for cut in cuts.cut_S.values()], form), level)


def gather_holdouts(
    cuts: Cuts, solved: Sequence[Solution | ValueError], level: float = 0.95
) -> SeedHoldouts:
    """`hold_out_seeds` of cuts whose near points are solved already, in their order."""
    errors = holdout_errors(list(cuts.cut_S.values()), solved)
    found, unsolved = split_refused(cuts.cut_S, errors)
    rmse = np.array([error.rmse for error in found.values()])
    constant = np.array([error.constant_rmse for error in found.values()])
    return SeedHoldouts(
        errors_S=tuple(found.values()),
        split_S=tuple(found),
        rmse=t_interval(rmse, level),
        constant_rmse=t_interval(constant, level),
        gain=t_interval(constant - rmse, level),
        left_out=tuple(sorted(cuts.left_out + unsolved)),
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
    return math.sqrt(float(residual @ residual) / residual.size)
