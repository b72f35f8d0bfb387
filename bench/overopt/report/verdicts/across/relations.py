"""Statistics of whole curves, of two arms together, and of many arms at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from overopt.report.verdicts.arms import Arm, NotMeasured, OutOfReach, Scope, SeedRows, arms_of
from overopt.report.verdicts.statistics import (
    FinalGold,
    Gold,
    Statistic,
    Tables,
    measured_curve,
    peaks,
)
from overopt.stats.arrays import Floats
from overopt.stats.verdicts.curves import (
    first_kl_at,
    mean_distance,
    partial_correlation,
    rank_correlation,
    read_at,
    slopes,
)


@dataclass(frozen=True)
class LogKlAtGold:
    """Log of the KL at which gold first reaches a share of the lower of two arms' mean peaks."""

    arm: Arm
    other: Arm
    share: float = 0.8

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (self.arm, self.other)

    @property
    def name(self) -> str:
        return f"log KL at {self.share:g} of the lower peak, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        tables = {}
        for world in scope.worlds:
            tops = [peaks(scope, arm, world).gold_SB.mean() for arm in self.arms]
            level = self.share * float(min(tops))
            if level <= 0.0:
                raise OutOfReach(f"world {world}: one of the two arms never rises")
            values = []
            for one in scope.rows(self.arm, world):
                try:
                    kl_nats = first_kl_at(*measured_curve(one, "gold_mean"), level)
                except ValueError as error:
                    raise OutOfReach(f"{self.arm.name}, seed {one.seed}: {error}") from error
                values.append([np.log(kl_nats)])
            tables[world] = np.array(values, np.float64)
        return tables


def per_pair(
    scope: Scope, first: Arm, second: Arm, number: Callable[[SeedRows, SeedRows], float]
) -> Tables:
    """A statistic of two arms' seeds, seed by seed."""
    tables = {}
    for world in scope.worlds:
        values = []
        for one, other in zip(scope.rows(first, world), scope.rows(second, world), strict=True):
            try:
                values.append([number(one, other)])
            except ValueError as error:
                raise OutOfReach(f"seed {one.seed}: {error}") from error
        tables[world] = np.array(values, np.float64)
    return tables


XAxis = Literal["sqrt_kl", "proxy_mean"]


def _against(one: SeedRows, x: XAxis, y: str) -> tuple[Floats, Floats]:
    x_K = np.sqrt(np.maximum(one.kl_K, 0.0)) if x == "sqrt_kl" else one.column(x)
    y_K = one.column(y)
    there = ~np.isnan(x_K) & ~np.isnan(y_K)
    return x_K[there], y_K[there]


@dataclass(frozen=True)
class Apart:
    """A statistic whose end is that of its own arms, whatever other arms the claim has.

    Differences over two tasks are read so: each task has budgets of its own. Seeds of two tasks
    share a number and nothing else, so that a pair of them is arbitrary; the variance of a
    difference over such pairs is that of two independent means.
    """

    of: Statistic

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.of.arms

    @property
    def name(self) -> str:
        return f"({self.of.name})"

    def read(self, scope: Scope) -> Tables:
        return self.of.read(scope.of(self.of.arms))


@dataclass(frozen=True)
class Wins:
    """Share of prompts on which one arm's gold is above another's; ties half.

    Both at the same KL, but for last policies.

    Single responses are not stored, so that what is compared on a prompt is the mean gold of either
    policy there. Means differ from each other more reliably than responses do: the share lies on
    the same side of one half as a win rate of responses where these differ by a shift, and farther
    from it; its size is not theirs.

    Attributes:
        arm: the one that wins.
        other: the one that it wins against.
        last: whether each is the last policy of its run, whatever its KL.
    """

    arm: Arm
    other: Arm
    last: bool = False

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (self.arm, self.other)

    @property
    def name(self) -> str:
        of = "the last policy of " if self.last else ""
        return f"share of prompts won by {of}{self.arm.name} against {self.other.name}"

    def read(self, scope: Scope) -> Tables:
        of = FinalGold if self.last else Gold
        first, second = of(self.arm).read(scope), of(self.other).read(scope)
        tables = {}
        for world in scope.worlds:
            if first[world].shape != second[world].shape or first[world].shape[1] < 2:
                raise NotMeasured(f"{self.name}: gold of the same prompts is not stored")
            ahead_SB = first[world] - second[world]
            tables[world] = (ahead_SB > 0.0) + 0.5 * (ahead_SB == 0.0)
        return tables


@dataclass(frozen=True)
class Distance:
    """Mean absolute difference of two arms' gold over the common range of an axis."""

    arm: Arm
    other: Arm
    x: XAxis

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (self.arm, self.other)

    @property
    def name(self) -> str:
        return f"distance of gold against {self.x}, {self.arm.name} and {self.other.name}"

    def read(self, scope: Scope) -> Tables:
        def number(one: SeedRows, other: SeedRows) -> float:
            curves = [_against(rows, self.x, "gold_mean") for rows in (one, other)]
            return mean_distance(curves[0], curves[1])

        return per_pair(scope, self.arm, self.other, number)


@dataclass(frozen=True)
class AtSamples:
    """A column of one arm where it has drawn as many samples as two arms both draw."""

    arm: Arm
    other: Arm
    column: str

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (self.arm, self.other)

    @property
    def name(self) -> str:
        return f"{self.column} of {self.arm.name} after as many samples as {self.other.name}"

    def read(self, scope: Scope) -> Tables:
        def number(one: SeedRows, other: SeedRows) -> float:
            curves = [measured_curve(rows, self.column, "samples_drawn") for rows in (one, other)]
            return read_at(*curves[0], min(float(x_K.max()) for x_K, _ in curves))

        return per_pair(scope, self.arm, self.other, number)


@dataclass(frozen=True)
class GapAtProxy:
    """Proxy less gold at a share of the proxy that both of two arms reach."""

    arm: Arm
    other: Arm
    share: float = 0.25

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (self.arm, self.other)

    @property
    def name(self) -> str:
        return f"gap at {self.share:g} of the common proxy score, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        def number(one: SeedRows, other: SeedRows) -> float:
            curves = [_against(rows, "proxy_mean", "gold_mean") for rows in (one, other)]
            at = self.share * min(float(x_K.max()) for x_K, _ in curves)
            return at - read_at(*curves[0], at)

        return per_pair(scope, self.arm, self.other, number)


@dataclass(frozen=True)
class Bend:
    """Slope over the upper half of an axis's levels less that over the lower half."""

    axis: str
    levels: tuple[tuple[float, Statistic], ...]

    @property
    def arms(self) -> tuple[Arm, ...]:
        return arms_of(one for _, one in self.levels)

    @property
    def name(self) -> str:
        return f"bend over {self.axis} of {self.levels[0][1].name} and {len(self.levels) - 1} more"

    def read(self, scope: Scope) -> Tables:
        middle = len(self.levels) // 2
        x_L = [x for x, _ in self.levels]
        read = [one.read(scope) for _, one in self.levels]
        tables = {}
        for world in scope.worlds:
            y_L = [tables_[world].mean(axis=1, keepdims=True) for tables_ in read]
            upper = slopes(x_L[middle:], y_L[middle:])
            tables[world] = upper - slopes(x_L[: middle + 1], y_L[: middle + 1])
        return tables


@dataclass(frozen=True)
class Related:
    """Correlation over arms of one statistic with another, or with numbers of the arms themselves.

    Attributes:
        rows: of each arm its number, such as the log of a width, and a statistic.
        given: what is held fixed, one statistic per row: then the partial correlation; empty for
            Spearman's rank correlation.
    """

    words: str
    rows: tuple[tuple[float | Statistic, Statistic], ...]
    given: tuple[Statistic, ...] = ()

    @property
    def arms(self) -> tuple[Arm, ...]:
        read = [one for row in self.rows for one in row if not isinstance(one, float)]
        return arms_of((*read, *self.given))

    @property
    def name(self) -> str:
        return self.words

    def read(self, scope: Scope) -> Tables:
        def table(one: float | Statistic, world: int) -> Floats:
            if isinstance(one, float):
                return np.full(scope.n_seeds_of(world), one)
            return np.asarray(read[one][world].mean(axis=1), np.float64)

        wanted = {one for row in self.rows for one in row if not isinstance(one, float)}
        read = {one: one.read(scope) for one in (*wanted, *self.given)}
        tables = {}
        for world in scope.worlds:
            x_AS = np.stack([table(x, world) for x, _ in self.rows])
            y_AS = np.stack([table(y, world) for _, y in self.rows])
            given_AS = np.stack([table(one, world) for one in self.given]) if self.given else None
            values = []
            for s in range(x_AS.shape[1]):
                try:
                    if given_AS is None:
                        values.append([rank_correlation(x_AS[:, s], y_AS[:, s])])
                    else:
                        mine = (x_AS[:, s], y_AS[:, s], given_AS[:, s])
                        values.append([partial_correlation(*mine)])
                except ValueError as error:
                    raise NotMeasured(str(error)) from error
            tables[world] = np.array(values, np.float64)
        return tables
