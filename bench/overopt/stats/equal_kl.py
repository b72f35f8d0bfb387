"""Several seeds read at the same KL, so that a mean over them is a mean at one place.

No two seeds achieve the same KL at a budget. A curve over seeds is therefore read at the budget
itself, each seed between two of its own points, linearly in d = sqrt(KL), never beyond its last,
and never where its first step leapt over a budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, check_finite, check_same_shape


class SeedPoints(NamedTuple):
    """Where one seed was measured.

    Attributes:
        kl_K: measured KL of its points, nats, at least 0, in any order.
        target_K: the budget that each point was taken for, nats; NaN where it was taken for none.
        from_nats: least KL above 0 that it may be read at, nats; see `first_readable`.
    """

    kl_K: Floats
    target_K: Floats
    from_nats: float = 0.0


class CommonKL(NamedTuple):
    """One place along KL and how each seed is read there.

    Attributes:
        kl_target_nats: the budget, nats; None where points were taken for no budget.
        kl_nats: KL at which the seeds are read, mean over those that are, nats. It is the budget
            itself, except at the end and where a seed's own policy there has none on one side.
        weight_SK: of each seed, weights of its points that sum to 1; None for one that does not
            get there.
    """

    kl_target_nats: float | None
    kl_nats: float
    weight_SK: tuple[Floats | None, ...]


def first_readable(kl_K: Floats, missed_nats: Iterable[float]) -> float:
    """Least KL above 0 that a seed may be read at, nats: 0 unless it leapt over a budget at first.

    A run that begins elsewhere, as a round of relabeling that goes on with the last one's policy,
    was never between the initial policy and its first point; nor was one of so large a step. Where
    each point is a policy of its own, as along a knob, nothing is leapt over.

    Args:
        kl_K: measured KL of its points, nats, at least 0, in any order.
        missed_nats: the budgets that a run along its steps did not meet.
    """
    first = float(np.min(kl_K, where=kl_K > 0.0, initial=math.inf))
    return first if math.isfinite(first) and any(kl < first for kl in missed_nats) else 0.0


def weights_at(kl_K: ArrayLike, kl_nats: float, from_nats: float = 0.0) -> Floats | None:
    """Weights of a seed's points that interpolate at a KL, linearly in sqrt(KL).

    Points of equal KL share their weight, whatever their order.

    Args:
        kl_K: measured KL, nats, in any order.
        kl_nats: where to read, nats.
        from_nats: least KL above 0 that may be read, nats.

    Returns:
        Shape (K,), summing to 1; None outside the range that may be read.

    Raises:
        ValueError: if there is no point, or a KL is negative, NaN or infinite.
    """
    return weights_at_each(kl_K, [kl_nats], from_nats)[0]


def weights_at_each(
    kl_K: ArrayLike, place_T: Sequence[float], from_nats: float = 0.0
) -> list[Floats | None]:
    """`weights_at` several places, nats."""
    kl = check_finite(kl_K, "KL")
    if kl.min() < 0.0:
        raise ValueError("KL must be at least 0")
    own_U, which_K, count_U = np.unique(kl, return_inverse=True, return_counts=True)
    place = np.asarray(place_T, np.float64)
    inside_T = (own_U[0] <= place) & (place <= own_U[-1])
    inside_T &= (place == 0.0) | (place >= from_nats)
    below_T = np.where(inside_T, np.searchsorted(own_U, place, "right") - 1, 0)
    above_T = np.where(inside_T, np.searchsorted(own_U, place, "left"), 0)
    d_U = np.sqrt(own_U)
    width_T = d_U[above_T] - d_U[below_T]
    share_T = np.where(
        width_T > 0.0, (np.sqrt(place) - d_U[below_T]) / np.where(width_T > 0.0, width_T, 1.0), 0.0
    )
    rows = np.arange(place.size)
    weight_TU = np.zeros((place.size, own_U.size))
    weight_TU[rows, below_T] = 1.0 - share_T
    weight_TU[rows, above_T] += share_T
    weight_TK = (weight_TU / count_U)[:, which_K]
    return [weight_TK[t] if inside else None for t, inside in enumerate(inside_T.tolist())]


def end_of(seeds: Sequence[SeedPoints]) -> float | None:
    """The largest budget that every seed reached, nats; None where there is none."""
    if not seeds:
        return None
    reached = [set(one.target_K[~np.isnan(one.target_K)].tolist()) for one in seeds]
    return max(set[float].intersection(*reached), default=None)


def read_together(seeds: Sequence[SeedPoints], budgets_set: bool = False) -> list[CommonKL]:
    """Every budget that some seed reached, ascending, and how the seeds are read there.

    A seed whose range holds the budget is read at the budget. At the end (`end_of`) every seed is
    read at its own policy, so that the curve ends where the end is; so is a seed that met a budget
    a little below it and has nothing further, or leapt a little beyond it at first. Where no budget
    was set, points are read at quantiles of the measured KL, and where the first seed to end does.

    Args:
        seeds: where each seed was measured.
        budgets_set: whether there were budgets, even if no seed reached any: nothing is read then,
            since policies that leapt over all of them say nothing of what lies between.

    Raises:
        ValueError: if shapes differ, or a KL is negative, NaN or infinite.
    """
    for one in seeds:
        check_same_shape(one.kl_K, one.target_K, "KL and budgets")
    targets = {target for one in seeds for target in one.target_K.tolist() if not np.isnan(target)}
    if not targets:
        return [] if budgets_set else _without_budgets(seeds)
    end, places = end_of(seeds), sorted(targets)
    weight_ST = [weights_at_each(one.kl_K, places, one.from_nats) for one in seeds]
    return [
        _at_budget(seeds, target, [None if target == end else mine[place] for mine in weight_ST])
        for place, target in enumerate(places)
    ]


def _at_budget(
    seeds: Sequence[SeedPoints], target_nats: float, weight_SK: Sequence[Floats | None]
) -> CommonKL:
    """A budget, given how each seed is read between its points there."""
    weights: list[Floats | None] = []
    read: list[float] = []
    for one, weight_K in zip(seeds, weight_SK, strict=True):
        own_K = one.target_K == target_nats
        if weight_K is not None:
            read.append(target_nats)
        elif own_K.any():
            weight_K = own_K / own_K.sum()
            read.append(float(weight_K @ one.kl_K))
        weights.append(weight_K)
    return CommonKL(target_nats, math.fsum(read) / len(read), tuple(weights))


def _without_budgets(seeds: Sequence[SeedPoints]) -> list[CommonKL]:
    moved = [one.kl_K[one.kl_K > 0.0] for one in seeds]
    moved = [kl_K for kl_K in moved if kl_K.size]
    if not moved:
        return []
    count = max(kl_K.size for kl_K in moved)
    grid = np.quantile(np.concatenate(moved), np.linspace(0.0, 1.0, count))
    grid = np.unique(np.append(grid, min(kl_K.max() for kl_K in moved)))
    weight_ST = [weights_at_each(one.kl_K, grid.tolist()) for one in seeds]
    return [
        CommonKL(None, float(kl), tuple(mine[place] for mine in weight_ST))
        for place, kl in enumerate(grid)
    ]
