"""Claims about which of several arms is the best, where arms differ in one number."""

from __future__ import annotations

from dataclasses import dataclass

from overopt.report.verdicts.arms import Arm, NotMeasured, Scope, arms_of
from overopt.report.verdicts.statistics import Statistic
from overopt.stats.verdicts.evidence import Evidence, Part
from overopt.stats.verdicts.places import Place, find_place, place_below, place_within
from overopt.stats.verdicts.rules import single


@dataclass(frozen=True)
class BestOf:
    """Arms that differ in one number, and what the best of them is highest in.

    Attributes:
        number: what it is, such as ``weight``.
        levels: of each arm that number, ascending and above 0, with the statistic.
    """

    number: str
    levels: tuple[tuple[float, Statistic], ...]

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it is chosen among."""
        return arms_of(one for _, one in self.levels)

    @property
    def name(self) -> str:
        """What it is, in words."""
        told = ", ".join(f"{number:g}" for number, _ in self.levels)
        return f"{self.number} (of {told}) with the highest {self.levels[0][1].name} and so on"

    def read(self, scope: Scope) -> Place:
        """Which arm is the best, and which are not shown not to be.

        Raises:
            NotMeasured: there is one seed.
        """
        numbers = [number for number, _ in self.levels]
        try:
            return find_place(numbers, [one.read(scope) for _, one in self.levels])
        except ValueError as error:
            raise NotMeasured(str(error)) from error


@dataclass(frozen=True)
class BestBetween:
    """The best arm's number lies between two bounds, both included: every other arm is lower."""

    best: BestOf
    low: float
    high: float

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.best.arms

    @property
    def words(self) -> str:
        return f"{self.best.name}: {self.low:g} to {self.high:g}, the others shown to be lower"

    def weigh(self, scope: Scope) -> Evidence:
        return single(self.part(scope))

    def part(self, scope: Scope) -> Part:
        return place_within(self.words, self.best.read(scope), self.low, self.high)


@dataclass(frozen=True)
class BestBelow:
    """One best number is smaller than another: all other pairs of places are excluded."""

    first: BestOf
    second: BestOf

    @property
    def arms(self) -> tuple[Arm, ...]:
        return arms_of((self.first, self.second))

    @property
    def words(self) -> str:
        return f"{self.first.name}: smaller than {self.second.name}"

    def weigh(self, scope: Scope) -> Evidence:
        return single(self.part(scope))

    def part(self, scope: Scope) -> Part:
        first, second = (one.read(scope.of(one.arms)) for one in (self.first, self.second))
        return place_below(self.words, first, second)
