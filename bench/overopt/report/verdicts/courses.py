"""Statistics of a column along each run: its largest value, where it jumps, how it bends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from overopt.report.verdicts.arms import OfArm, Scope, SeedRows, Undefined
from overopt.report.verdicts.statistics import Tables, per_seed
from overopt.stats.arrays import Floats
from overopt.stats.verdicts.courses import NoJump, change_point, parabola


def _along(one: SeedRows, place: str, column: str) -> tuple[Floats, Floats]:
    """A column at all points that have it, the initial policy included.

    Raises:
        ValueError: no point has it, or it was not stored.
    """
    place_K, value_K = one.column(place), one.column(column)
    there = np.isfinite(place_K) & np.isfinite(value_K)
    if not there.any():
        raise ValueError(f"no point has {column}")
    return place_K[there], value_K[there]


@dataclass(frozen=True)
class Largest(OfArm):
    """The largest value of a column over the points of each run."""

    column: str

    @property
    def name(self) -> str:
        return f"largest {self.column} of {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(
            scope, self.arm, lambda one: float(_along(one, "kl_nats", self.column)[1].max())
        )


@dataclass(frozen=True)
class Last(OfArm):
    """A column at the last policy that was measured of each run, by its step."""

    column: str

    @property
    def name(self) -> str:
        return f"{self.column} at the last step of {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        def number(one: SeedRows) -> float:
            step_K, value_K = _along(one, "step", self.column)
            if step_K.max() < np.nanmax(one.column("step")):
                raise ValueError(f"{self.column} was not measured at the last step")
            return float(value_K[step_K.argmax()])

        return per_seed(scope, self.arm, number)


@dataclass(frozen=True)
class JumpFromPeak(OfArm):
    """Steps from the policy of highest gold to the jump of a column, as a share of the run's.

    The jump is `change_point`'s: halfway between two measured policies.

    Attributes:
        arm: a method that trains.
        column: what jumps to a higher level.
    """

    column: str

    @property
    def name(self) -> str:
        return f"steps from the peak of gold to the jump of {self.column}, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(scope, self.arm, self._number)

    def _number(self, one: SeedRows) -> float:
        step_K, value_K = _along(one, "step", self.column)
        try:
            place = change_point(step_K, value_K)
        except NoJump as none:
            raise Undefined(f"{self.column} of {self.arm.name}, seed {one.seed}: {none}") from none
        of_gold_K, gold_K = _along(one, "step", "gold_mean")
        return (place - float(of_gold_K[gold_K.argmax()])) / float(step_K.max())


@dataclass(frozen=True)
class AlongKl(OfArm):
    """A term of the parabola in KL that fits a column along each run.

    Attributes:
        arm: a method that passes several policies.
        column: at its points, the initial policy included.
        term: ``start``: the slope at the initial policy, per nat; ``bend``: the quadratic term.
    """

    column: str
    term: Literal["start", "bend"]

    @property
    def name(self) -> str:
        words = {"start": "slope at the start", "bend": "quadratic term"}[self.term]
        return f"{words} of {self.column} in KL, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        def number(one: SeedRows) -> float:
            return float(getattr(parabola(*_along(one, "kl_nats", self.column)), self.term))

        return per_seed(scope, self.arm, number)
