"""Places of a knob that costs no training: which of its values meet the KL budgets."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from overopt.spec.declare import Knob
from overopt.stats.budgets import budget_gap

_FALL = 1e-3
"""Share of its peak by which KL must have fallen for its knob to count as one that turns: rounding
and numerical integrals are far below it."""


class Place(NamedTuple):
    """A place along the knob.

    kl_target_nats: the budget it is meant for; None for a finer place between or before budgets.
    knob_value: None where the budget is out of reach.
    """

    kl_target_nats: float | None
    knob_value: float | None


def midpoints(kl_grid_nats: Sequence[float]) -> list[float]:
    """KL halfway between neighboring budgets, in sqrt(KL)."""
    return [((low**0.5 + high**0.5) / 2) ** 2 for low, high in pairwise(kl_grid_nats)]


def rising_part(kl_of: Callable[[float], float], knob: Knob) -> Knob:
    """The knob up to where KL is largest, where KL falls again behind; else the knob as it is.

    Behind the peak a KL has two knob values, and a search could return either. A few values, at
    most one for each decade of the usual ranges, tell whether KL falls anywhere; only then are all
    asked for.

    Args:
        kl_of: KL in nats at a knob value; each value is asked for once.
        knob: its range, of any values.
    """
    kl_at = cache(kl_of)
    values = [float(value) for value in np.geomspace(knob.low, knob.high, 49)]
    if not knob.raises_kl:
        values.reverse()
    for seen in ([*values[::8], values[-2]], values):
        peak = max(seen, key=kl_at)
        if kl_at(values[-1]) >= (1 - _FALL) * kl_at(peak):
            return knob
    return knob.model_copy(update={"high" if knob.raises_kl else "low": peak})


def place(
    kl_of: Callable[[float], float],
    knob: Knob,
    kl_grid_nats: Sequence[float],
    finer_nats: Sequence[float],
    log_tolerance: float,
    trusted: Callable[[float], bool] = lambda value: True,
) -> list[Place]:
    """Knob values whose KL is that of each budget, by root finding of sqrt(KL) in log knob.

    Args:
        kl_of: KL in nats at a knob value, continuous in it; each value is asked for once.
        knob: its range.
        kl_grid_nats: the budgets.
        finer_nats: further KLs that are wanted where they can be had.
        log_tolerance: how far a root may lie from the true one, in log knob.
        trusted: whether what is measured at a knob value deserves a point.

    Returns:
        One place per budget, and those of the finer KLs within reach, by rising KL.
    """
    known: dict[float, float] = {}

    def distance_at(log_value: float) -> float:
        if log_value not in known:
            known[log_value] = math.sqrt(max(kl_of(math.exp(log_value)), 0.0))
        return known[log_value]

    for end in (knob.low, knob.high):
        distance_at(math.log(end))

    def solve(kl_nats: float) -> float | None:
        wanted = math.sqrt(kl_nats)
        # What was asked for on the way to other budgets narrows the search for this one.
        for low, high in pairwise(sorted(known)):
            if (known[low] - wanted) * (known[high] - wanted) <= 0:
                root = brentq(lambda x: distance_at(x) - wanted, low, high, xtol=log_tolerance)
                value = math.exp(float(root))
                return value if trusted(value) else None
        return None

    targets = sorted({*kl_grid_nats, *finer_nats})
    found = [(kl_nats, solve(kl_nats)) for kl_nats in targets]
    return [
        Place(kl_nats if kl_nats in kl_grid_nats else None, value)
        for kl_nats, value in found
        if kl_nats in kl_grid_nats or value is not None
    ]


def or_furthest(places: list[Place], knob: Knob) -> list[Place]:
    """The places; where no budget is within reach, with the end of the knob that has most KL."""
    if any(one.knob_value is not None for one in places):
        return places
    return [*places, Place(None, knob.high if knob.raises_kl else knob.low)]


def with_the_end(places: list[Place], end: float) -> list[Place]:
    """The places, and the end of the knob behind those that were met, whatever its KL."""
    met = [one for one in places if one.knob_value is not None]
    unmet = [one for one in places if one.knob_value is None]
    there = any(one.knob_value == end for one in met)
    return [*met, *([] if there else [Place(None, end)]), *unmet]


def place_whole(
    kl_of: Callable[[float], float],
    knob: Knob,
    kl_grid_nats: Sequence[float],
    finer_nats: Sequence[float],
    trusted: Callable[[float], bool] = lambda value: True,
) -> list[Place]:
    """Whole knob values whose sqrt(KL) is nearest to each budget's, by bisection.

    A budget is out of reach where no value has that much KL, where the value deserves no point, or
    where another budget is nearer to the value: one policy cannot meet two budgets.

    Args:
        kl_of: KL in nats at a whole value, monotone in it; each value is asked for once.
        knob: its range, which is left behind the value of ``also`` that has most KL, where later
            ones have less.
        kl_grid_nats: the budgets.
        finer_nats: further KLs, which take what values the budgets leave.
        trusted: whether what is measured at a value deserves a point; true up to some KL.

    Returns:
        One place per budget, and those of the finer KLs, by rising KL; those out of reach last.
    """
    kl_at = cache(lambda value: kl_of(float(value)))
    order = range(math.ceil(knob.low), math.floor(knob.high) + 1)
    values = order if knob.raises_kl else order[::-1]
    named = sorted(int(value) for value in knob.also if value in order and trusted(value))
    if named:
        peak, last = max(named, key=kl_at), named[-1 if knob.raises_kl else 0]
        if kl_at(last) < (1 - _FALL) * kl_at(peak):
            values = values[: values.index(peak) + 1]

    def gap(value: int, kl_nats: float) -> float:
        """In sqrt(KL), as budgets are met."""
        return budget_gap(kl_at(value), kl_nats)

    def nearest(kl_nats: float) -> int | None:
        above = bisect_left(values, kl_nats, key=lambda v: kl_at(v) if trusted(v) else math.inf)
        if above == len(values) or not trusted(values[above]):
            return None
        beside = values[max(above - 1, 0) : above + 1]
        return min(beside, key=lambda value: gap(value, kl_nats))

    chosen = {kl_nats: nearest(kl_nats) for kl_nats in kl_grid_nats}
    owner = {
        value: min((k for k in chosen if chosen[k] == value), key=lambda k: gap(value, k))
        for value in chosen.values()
        if value is not None
    }
    places = [
        Place(kl_nats, float(value) if value is not None and owner[value] == kl_nats else None)
        for kl_nats, value in chosen.items()
    ]
    between = {value for value in map(nearest, finer_nats) if value is not None} - set(owner)
    places += [Place(None, float(value)) for value in between]
    return sorted(
        places, key=lambda one: math.inf if one.knob_value is None else kl_at(int(one.knob_value))
    )
