"""Statistics of exams: marks, and what many of them together tell of optimization."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overopt.report.verdicts.arms import (
    Arm,
    NotMeasured,
    OfArm,
    OutOfReach,
    Scope,
    SeedRows,
    arms_of,
)
from overopt.report.verdicts.statistics import Statistic, Tables, per_seed
from overopt.stats.arrays import Floats


@dataclass(frozen=True)
class Marked(OfArm):
    """A number of an exam of an arm's proxies, one for each seed.

    Attributes:
        arm: one that is examined.
        exam: name of the exam.
        of: what the number is of.
    """

    exam: str
    of: str

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"{self.exam}: {self.of}, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        """One number per seed."""

        def number(one: SeedRows) -> float:
            if (self.exam, self.of) not in one.marks:
                raise ValueError(f"no {self.of} of the exam {self.exam!r}")
            return one.marks[self.exam, self.of]

        return per_seed(scope, self.arm, number)


@dataclass(frozen=True)
class Squared:
    """The square of a statistic of whole seeds, such as r2 of a correlation."""

    of: Statistic

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it is read from."""
        return self.of.arms

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"square of the {self.of.name}"

    def read(self, scope: Scope) -> Tables:
        """One number per seed."""
        found = self.of.read(scope)
        return {world: np.square(one.mean(axis=1, keepdims=True)) for world, one in found.items()}


@dataclass(frozen=True)
class Leading:
    """The leading coefficient of a polynomial through several points, least squares, seed by seed.

    Degree 1: a slope. Degree 2: the quadratic term, below 0 where the curve turns downward.

    Attributes:
        words: what it is.
        points: statistics of whole seeds, of x and y.
        degree: of the polynomial.
        reach: x that the largest mean over seeds has to get to in each world; None: any.
    """

    words: str
    points: tuple[tuple[Statistic, Statistic], ...]
    degree: int
    reach: float | None = None

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it is read from."""
        return arms_of(one for pair in self.points for one in pair)

    @property
    def name(self) -> str:
        """What it is, in words."""
        return self.words

    def read(self, scope: Scope) -> Tables:
        """One number per seed.

        Raises:
            OutOfReach: x does not get as far as the claim speaks of.
            NotMeasured: x has too few different values.
        """
        read = {one: one.read(scope) for one in dict.fromkeys(sum(self.points, ()))}
        tables = {}
        for world in scope.worlds:
            x_DS, y_DS = (
                np.stack([read[pair[side]][world].mean(axis=1) for pair in self.points])
                for side in (0, 1)
            )
            furthest = float(x_DS.mean(axis=1).max())
            if self.reach is not None and furthest < self.reach:
                raise OutOfReach(
                    f"world {world}: {self.words} at x of {self.reach:g} or more; the largest is "
                    f"{furthest:.2g}"
                )
            values = [[self._leading(x_D, y_D)] for x_D, y_D in zip(x_DS.T, y_DS.T, strict=True)]
            tables[world] = np.array(values, np.float64)
        return tables

    def _leading(self, x_D: Floats, y_D: Floats) -> float:
        if np.unique(x_D).size <= self.degree:
            raise NotMeasured(f"{self.words}: fewer than {self.degree + 1} different values of x")
        return float(np.polyfit(x_D, y_D, self.degree)[0])
