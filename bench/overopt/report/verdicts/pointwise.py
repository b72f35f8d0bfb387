"""Statistics over the points of runs: of one column with another, seed by seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from overopt.report.verdicts.arms import Arm, NotMeasured, OfArm, Scope, SeedRows
from overopt.report.verdicts.statistics import Tables, per_seed
from overopt.stats.arrays import Floats
from overopt.stats.verdicts.curves import rank_correlation

Part = Literal["all", "near", "far"]
"""Points of a run: all, or those in the nearer or farther half of its d = sqrt KL."""


def _measured(one: SeedRows, *names: str) -> list[Floats]:
    """Columns at the points past the initial policy that have all of them."""
    columns = [one.column(name) for name in names]
    there = one.kl_K > 0.0
    for column in columns:
        there = there & np.isfinite(column)
    return [column[there] for column in columns]


@dataclass(frozen=True)
class Together(OfArm):
    """Spearman's correlation of two columns over the points of each run.

    Attributes:
        arm: a method that passes several policies.
        first, second: columns of its points, or of what was looked at beside them.
        part: which points.
    """

    first: str
    second: str
    part: Part = "all"

    @property
    def name(self) -> str:
        where = {"all": "", "near": " in the nearer half of d", "far": " in the farther half of d"}
        return f"correlation of {self.first} and {self.second}{where[self.part]} of {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(scope, self.arm, self._number)

    def _number(self, one: SeedRows) -> float:
        kl_K, first_K, second_K = _measured(one, "kl_nats", self.first, self.second)
        if self.part != "all":
            is_near = np.sqrt(kl_K) <= np.sqrt(one.kl_K.max()) / 2.0
            used = is_near if self.part == "near" else ~is_near
            first_K, second_K = first_K[used], second_K[used]
        return rank_correlation(first_K, second_K)


@dataclass(frozen=True)
class AcrossRuns:
    """Spearman's correlation of two columns over all points of several runs, seed by seed.

    Attributes:
        runs: arms whose points are taken together, such as one method at several settings.
        first, second: columns.
    """

    runs: tuple[Arm, ...]
    first: str
    second: str

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.runs

    @property
    def name(self) -> str:
        return (
            f"correlation of {self.first} and {self.second} over all points of "
            f"{self.runs[0].name} and {len(self.runs) - 1} more"
        )

    def read(self, scope: Scope) -> Tables:
        tables = {}
        for world in scope.worlds:
            values = []
            for seeds in zip(*(scope.rows(arm, world) for arm in self.runs), strict=True):
                try:
                    columns = [_measured(one, self.first, self.second) for one in seeds]
                    first, second = (np.concatenate([pair[i] for pair in columns]) for i in (0, 1))
                    values.append([rank_correlation(first, second)])
                except ValueError as error:
                    raise NotMeasured(f"{self.name}, seed {seeds[0].seed}: {error}") from error
            tables[world] = np.array(values, np.float64)
        return tables


@dataclass(frozen=True)
class AtLowest(OfArm):
    """A column at the point of each run where another column is lowest.

    The two have to be of different data, or what is read would be chosen by what is read.
    """

    column: str
    lowest: str

    @property
    def name(self) -> str:
        return f"{self.column} where {self.lowest} is lowest, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(scope, self.arm, self._number)

    def _number(self, one: SeedRows) -> float:
        lowest_K, value_K = _measured(one, self.lowest, self.column)
        if not len(lowest_K):
            raise ValueError(f"no point has {self.column} and {self.lowest}")
        return float(value_K[lowest_K.argmin()])
