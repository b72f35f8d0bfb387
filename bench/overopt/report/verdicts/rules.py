"""Rules as a paper's file declares them: statistics of arms, with the margins that decide."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median_low
from typing import Protocol

import numpy as np

from overopt.report.verdicts.arms import Arm, NotMeasured, OutOfReach, Scope, arms_of
from overopt.report.verdicts.statistics import (
    OWN_END,
    Fall,
    Gold,
    Minus,
    Peak,
    Statistic,
    peaks,
)
from overopt.stats.error_parts import ErrorPart
from overopt.stats.verdicts.curves import rank_correlation
from overopt.stats.verdicts.estimate import estimate
from overopt.stats.verdicts.evidence import ALPHA, Estimate, Evidence, Part
from overopt.stats.verdicts.rules import (
    EQUAL_SD,
    FALL_SD,
    difference,
    equivalence,
    every,
    hump,
    no_hump,
    no_worse,
    ordering,
    single,
    within,
)


class Test(Protocol):
    """A rule of a single test, which larger rules are made of."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All arms that it needs."""

    @property
    def words(self) -> str:
        """The test with its margins, in words."""

    def part(self, scope: Scope) -> Part:
        """What it shows; raises as statistics do."""


@dataclass(frozen=True)
class _Single(ABC):
    """A rule that is one test."""

    def weigh(self, scope: Scope) -> Evidence:
        return single(self.part(scope))

    @abstractmethod
    def part(self, scope: Scope) -> Part:
        """What the test shows."""


def measure(statistic: Statistic, scope: Scope) -> Estimate:
    """The mean of a statistic with its error."""
    return estimate(statistic.read(scope))


@dataclass(frozen=True)
class Positive(_Single):
    """D(m): a statistic is above 0, by at least the margin; ``sign=-1``: below 0."""

    statistic: Statistic
    margin: float = 0.0
    sign: int = 1

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.statistic.arms

    @property
    def words(self) -> str:
        beyond = f", by at least {self.margin:g}" if self.margin else ""
        return f"{self.statistic.name}: {'above' if self.sign > 0 else 'below'} 0{beyond}"

    def part(self, scope: Scope) -> Part:
        found = measure(self.statistic, scope)
        claimed = found if self.sign > 0 else found.flipped()
        # told with its own sign, beside words that say which one is claimed
        return difference(self.words, claimed, self.margin)._replace(estimate=found)


def more(first: Statistic, second: Statistic, margin: float = 0.0) -> Positive:
    """D(m): the first is larger than the second."""
    return Positive(Minus(first, second), margin)


@dataclass(frozen=True)
class Equal(_Single):
    """EQ(m): a statistic is within the margin of 0."""

    statistic: Statistic
    margin: float = EQUAL_SD

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.statistic.arms

    @property
    def words(self) -> str:
        return f"{self.statistic.name}: within {self.margin:g} of 0"

    def part(self, scope: Scope) -> Part:
        return equivalence(self.words, measure(self.statistic, scope), self.margin)


@dataclass(frozen=True)
class NoWorse(_Single):
    """A statistic is not below minus the margin."""

    statistic: Statistic
    margin: float

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.statistic.arms

    @property
    def words(self) -> str:
        return f"{self.statistic.name}: above -{self.margin:g}"

    def part(self, scope: Scope) -> Part:
        return no_worse(self.words, measure(self.statistic, scope), self.margin)


@dataclass(frozen=True)
class Between(_Single):
    """A statistic lies between two bounds, one of which may be infinite."""

    statistic: Statistic
    low: float
    high: float

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.statistic.arms

    @property
    def words(self) -> str:
        return f"{self.statistic.name}: between {self.low:g} and {self.high:g}"

    def part(self, scope: Scope) -> Part:
        return within(self.words, measure(self.statistic, scope), self.low, self.high)


@dataclass(frozen=True)
class Hump(_Single):
    """HUMP: gold of an arm rises, peaks and falls."""

    arm: Arm
    least: float = FALL_SD

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (self.arm,)

    @property
    def words(self) -> str:
        return f"{self.arm.name}: rises, then falls (a fall below {self.least:g} SD is none)"

    def part(self, scope: Scope) -> Part:
        rise, fall = measure(Peak(self.arm), scope), measure(Fall(self.arm), scope)
        return hump(self.words, rise, fall, falls_from(self.arm, scope), self.least)


@dataclass(frozen=True)
class NoHump(_Single):
    """NOHUMP: gold of an arm does not fall, where gold of the baseline has fallen.

    Where the baseline is shown to fall, the arm must have got at least to the first budget beyond
    the baseline's peak at which it has; where it is not shown to fall, to the baseline's end.
    """

    arm: Arm
    baseline: Arm
    least: float = FALL_SD

    @property
    def arms(self) -> tuple[Arm, ...]:
        return tuple(dict.fromkeys((self.arm, self.baseline)))

    @property
    def words(self) -> str:
        return f"{self.arm.name}: falls by less than {self.least:g} SD"

    def part(self, scope: Scope) -> Part:
        reach, own = fallen_at(self.baseline, scope), max(scope.reached(self.arm), default=0.0)
        if own < reach:
            raise OutOfReach(
                f"{self.arm.name} was reached to {own:g} nats by all seeds; {self.baseline.name} "
                f"has fallen at {reach:g}"
            )
        fall = measure(Fall(self.arm), scope)
        return no_hump(self.words, fall, falls_from(self.arm, scope), self.least)


def falls_from(arm: Arm, scope: Scope) -> list[Estimate]:
    """Gold at each budget before an arm's own end, less gold there."""
    end = Gold(arm, OWN_END)
    return [measure(Minus(Gold(arm, at), end), scope) for at in scope.reached(arm)[:-1]]


def fallen_at(arm: Arm, scope: Scope) -> float:
    """The first budget beyond an arm's peak at which it is shown to have fallen; else its end."""
    budgets = scope.reached(arm)
    if not budgets:
        raise OutOfReach(f"{arm.name}: no KL budget was reached by all seeds")
    peak_nats = max(median_low(peaks(scope, arm, world).choices_nats) for world in scope.worlds)
    for budget in budgets:
        fallen = measure(Minus(Peak(arm), Gold(arm, budget)), scope)
        if budget > peak_nats and fallen.p_above(0.0) <= ALPHA:
            return budget
    return budgets[-1]


@dataclass(frozen=True)
class Computed(_Single):
    """A statistic of numbers that need no run, one for each of several random instances."""

    values: Callable[[], Sequence[float]]
    what: str
    low: float = 0.0
    high: float = inf

    @property
    def arms(self) -> tuple[Arm, ...]:
        return ()

    @property
    def words(self) -> str:
        return f"{self.what}: between {self.low:g} and {self.high:g}"

    def part(self, scope: Scope) -> Part:
        try:
            found = estimate({0: np.array(self.values(), np.float64)[:, None]})
        except ValueError as error:
            raise NotMeasured(str(error)) from error
        return within(self.words, found, self.low, self.high)


@dataclass(frozen=True)
class Unrelated(_Single):
    """EQ on a rank correlation over seeds: two statistics have nothing to do with each other.

    Spearman's correlation over the seeds of each world, mean over worlds weighted by n - 3; its
    standard error is sqrt((1 + rho^2 / 2) / sum (n - 3)), of which the numerator is from Bonett and
    Wright 2000, "Sample size requirements for estimating Pearson, Kendall and Spearman
    correlations" (from memory), here on rho itself instead of Fisher's z.
    """

    first: Statistic
    second: Statistic
    margin: float = 0.3
    least: int = 20

    @property
    def arms(self) -> tuple[Arm, ...]:
        return arms_of((self.first, self.second))

    @property
    def words(self) -> str:
        return (
            f"rank correlation over at least {self.least} seeds of {self.first.name} with "
            f"{self.second.name}: within {self.margin:g} of 0"
        )

    def part(self, scope: Scope) -> Part:
        first, second = self.first.read(scope), self.second.read(scope)
        n_W = [len(first[world]) for world in scope.worlds]
        if sum(n_W) < self.least or min(n_W) <= 3:
            raise NotMeasured(f"it takes {self.least} seeds, and more than 3 in each world")
        try:
            rho_W = [
                rank_correlation(first[world].mean(axis=1), second[world].mean(axis=1))
                for world in scope.worlds
            ]
        except ValueError as error:
            raise NotMeasured(str(error)) from error
        weight = sum(n - 3 for n in n_W)
        rho = sum(r * (n - 3) for r, n in zip(rho_W, n_W, strict=True)) / weight
        se = ((1.0 + rho**2 / 2.0) / weight) ** 0.5
        parts = (ErrorPart(se**2, float("inf")),)
        found = Estimate(rho, parts, min(n_W), len(n_W), "seeds")
        return equivalence(self.words, found, self.margin)


@dataclass(frozen=True)
class All:
    """A claim that says several things at once: it holds where each of them does."""

    tests: tuple[Test, ...]

    @property
    def arms(self) -> tuple[Arm, ...]:
        return arms_of(self.tests)

    @property
    def words(self) -> str:
        return "; ".join(one.words for one in self.tests)

    def weigh(self, scope: Scope) -> Evidence:
        return every([one.part(scope.of(one.arms)) for one in self.tests])


@dataclass(frozen=True)
class Ordering:
    """ORD: statistics in descending order, every adjacent pair by D(0)."""

    descending: tuple[Statistic, ...]

    @property
    def arms(self) -> tuple[Arm, ...]:
        return arms_of(self.descending)

    @property
    def words(self) -> str:
        return " > ".join(one.name for one in self.descending)

    def weigh(self, scope: Scope) -> Evidence:
        pairs = zip(self.descending[:-1], self.descending[1:], strict=True)
        return ordering([more(*pair).part(scope) for pair in pairs])
