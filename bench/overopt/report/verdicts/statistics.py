"""What is read of an arm for a claim: one number per seed, by prompt where gold allows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

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
from overopt.stats.arrays import Floats
from overopt.stats.equal_kl import weights_at
from overopt.stats.rise_fall import PROMPTS_MIN, Budgets, PeakTable, fixed_split, read_peaks
from overopt.stats.verdicts.curves import slopes

Tables = dict[int, Floats]
"""By world, shape (seeds, prompts); one column where a statistic is of whole seeds."""

Own = Literal["own end"]
END = None
"""In place of a KL: the largest budget that all arms of the claim reached."""
OWN_END: Own = "own end"
"""In place of a KL: the largest budget that this arm reached."""


class Statistic(Protocol):
    """Something that can be read of some arms."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it is read from."""

    @property
    def name(self) -> str:
        """What it is, in words."""

    def read(self, scope: Scope) -> Tables:
        """Its value for every world, seed and, where it has them, prompt.

        Raises:
            OutOfReach: an arm did not get where it is read.
            NotMeasured: it needs what was not stored.
        """


def per_seed(scope: Scope, arm: Arm, number: Callable[[SeedRows], float]) -> Tables:
    """A statistic of whole seeds."""
    tables = {}
    for world in scope.worlds:
        values = []
        for one in scope.rows(arm, world):
            try:
                values.append([number(one)])
            except ValueError as error:
                raise NotMeasured(f"{arm.name}, seed {one.seed}: {error}") from error
        tables[world] = np.array(values, np.float64)
    return tables


def reading_weights(rows: SeedRows, kl_nats: float, arm: Arm) -> Floats:
    """Weights of a seed's points that read it at a KL: between its points, or its own policy there.

    Raises:
        OutOfReach: the seed ends before.
    """
    weight_K = weights_at(rows.kl_K, kl_nats, rows.from_nats)
    own_K = rows.target_K == kl_nats
    if weight_K is None and own_K.any():
        weight_K = np.asarray(own_K / own_K.sum(), np.float64)
    if weight_K is None:
        reached = rows.kl_K.max()
        told = (
            f"leapt over {kl_nats:g} nats to {rows.from_nats:.3g}"
            if reached >= kl_nats
            else f"reached {reached:.3g} of {kl_nats:g} nats"
        )
        raise OutOfReach(f"{arm.name} {told} (seed {rows.seed})")
    return weight_K


@dataclass(frozen=True)
class Gold(OfArm):
    """Gold above the initial policy at a KL, SDs of the initial policy."""

    at_nats: float | Own | None = END

    @property
    def name(self) -> str:
        return f"gold at {_place(self.at_nats)} of {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        at = place_of(scope, self.arm, self.at_nats)
        tables = {}
        for world in scope.worlds:
            rows = scope.rows(self.arm, world)
            weights = [reading_weights(one, at, self.arm) for one in rows]
            tables[world] = _weighted_gold(rows, weights)
        return tables


@dataclass(frozen=True)
class FinalGold(OfArm):
    """Gold above the initial policy at each run's last policy, or at its furthest, in SDs.

    Each seed is read at an end of its own, whatever its KL. A budget that every seed reached
    (`OWN_END`) is another place: the seed that stops first sets it for all, and a run that turns
    back to a smaller KL has passed it long before it ends.

    Attributes:
        arm: of any method.
        along: ``step``, of a method that trains: its last policy; ``kl_nats``: the point of most
            KL, of methods without steps.
    """

    along: Literal["step", "kl_nats"] = "step"

    @property
    def name(self) -> str:
        where = "last policy" if self.along == "step" else "point of most KL"
        return f"gold at the {where} of {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        tables = {}
        for world in scope.worlds:
            rows = scope.rows(self.arm, world)
            tables[world] = _weighted_gold(rows, [self._weights(one) for one in rows])
        return tables

    def _weights(self, one: SeedRows) -> Floats:
        try:
            place_K = one.column(self.along)
        except ValueError as error:
            raise NotMeasured(f"{self.arm.name}, seed {one.seed}: {error}") from error
        if not np.isfinite(place_K).any():
            raise NotMeasured(f"{self.arm.name}, seed {one.seed}: no {self.along} was stored")
        weight_K = np.zeros(len(place_K))
        weight_K[np.nanargmax(place_K)] = 1.0
        return weight_K


def _weighted_gold(rows: Sequence[SeedRows], weights: Sequence[Floats]) -> Floats:
    """By prompt where all seeds have that, else by seed."""
    gains = [one.gain_KB for one in rows]
    known = [gain for gain in gains if gain is not None]
    if len(known) == len(rows) and len({gain.shape[1] for gain in known}) == 1:
        return np.stack([w @ gain for w, gain in zip(weights, known, strict=True)])
    values = [w @ one.column("gold_mean") for w, one in zip(weights, rows, strict=True)]
    return np.array(values, np.float64)[:, None]


@dataclass(frozen=True)
class Value(OfArm):
    """A column of ``points.csv`` at a KL, such as ``proxy_mean``, ``length_mean`` or ``auroc``."""

    column: str
    at_nats: float | Own | None = END
    log: bool = False

    @property
    def name(self) -> str:
        of = f"log {self.column}" if self.log else self.column
        return f"{of} at {_place(self.at_nats)} of {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        at = place_of(scope, self.arm, self.at_nats)

        def number(one: SeedRows) -> float:
            weight_K = reading_weights(one, at, self.arm)
            used = weight_K > 0.0
            value = float(weight_K[used] @ one.column(self.column)[used])
            if np.isnan(value):
                raise ValueError(f"{self.column} was not measured there")
            return float(np.log(value)) if self.log else value

        return per_seed(scope, self.arm, number)


@dataclass(frozen=True)
class Peak(OfArm):
    """Gold at the peak that other seeds and prompts chose, or where the peak of each seed lies.

    A place (log KL, or a column such as the step) is that of each seed's own highest budget. Gold
    read there would be too high; a place is not, and it is independent between seeds, as an
    interval over them needs. The places that other seeds choose are not: any two have all but two
    of their seeds in common, and their spread is far too small (with 5 to 8 seeds two arms of the
    same curve were told apart in 42 to 58 % of draws, as simulated; so in 5 to 6 %).
    """

    of: str = "gold"

    @property
    def name(self) -> str:
        return f"{self.of.replace('log_kl', 'log KL')} at the peak of {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        if self.of == "gold":
            return {world: peaks(scope, self.arm, world).gold_SB for world in scope.worlds}
        budgets = _own_budgets(scope, self.arm)
        return per_seed(scope, self.arm, lambda rows: self._at_own_peak(rows, budgets))

    def _at_own_peak(self, rows: SeedRows, budgets: Sequence[float]) -> float:
        """Of one seed: the first of equals, by its mean over prompts."""
        weight_BK = np.stack([_at_own(rows, budget) for budget in budgets])
        by_prompt = rows.gain_KB
        gold_K = rows.column("gold_mean") if by_prompt is None else by_prompt.mean(axis=1)
        best_K = weight_BK[(weight_BK @ gold_K).argmax()]
        if self.of == "log_kl":
            return float(np.log(best_K @ rows.kl_K))
        used = best_K > 0.0
        value = float(best_K[used] @ rows.column(self.of)[used])
        if np.isnan(value):
            raise ValueError(f"{self.of} was not measured at the peak")
        return value


@dataclass(frozen=True)
class Fall(OfArm):
    """Gold at the peak less gold at the arm's own end; positive where gold falls."""

    @property
    def name(self) -> str:
        return f"fall of {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        end = max(_own_budgets(scope, self.arm))
        tables = {}
        for world in scope.worlds:
            rows = scope.rows(self.arm, world)
            weights = [_at_own(one, end) for one in rows]
            peak_SB = peaks(scope, self.arm, world).gold_SB
            tables[world] = subtract(peak_SB, _weighted_gold(rows, weights))
        return tables


def _own_budgets(scope: Scope, arm: Arm) -> list[float]:
    budgets = scope.reached(arm)
    if not budgets:
        raise OutOfReach(f"{arm.name}: no KL budget was reached by all seeds")
    return budgets


def _at_own(rows: SeedRows, budget: float) -> Floats:
    own_K = rows.target_K == budget
    return np.asarray(own_K / own_K.sum(), np.float64)


def peaks(scope: Scope, arm: Arm, world: int) -> PeakTable:
    """The peak of each seed and prompt, `overopt.stats.rise_fall`; without prompts, of each seed.

    Without prompts every seed counts as several equal ones, so that only other seeds choose.

    Raises:
        OutOfReach: no budget was reached by all seeds.
        NotMeasured: one seed without its prompts, which nothing could choose for.
    """
    budgets, rows = _own_budgets(scope, arm), scope.rows(arm, world)
    gains = [one.gain_KB for one in rows]
    if any(gain is None or gain.shape[1] < PROMPTS_MIN for gain in gains):
        if len(rows) < 2:
            raise NotMeasured(f"{arm.name}: a peak of one seed needs its gold by prompt")
        gains = [np.repeat(one.column("gold_mean")[:, None], PROMPTS_MIN, axis=1) for one in rows]
    picked, kl = [], []
    for one, gain in zip(rows, gains, strict=True):
        assert gain is not None
        weights = np.stack([_at_own(one, budget) for budget in budgets])
        picked.append(np.concatenate([np.zeros((1, gain.shape[1])), weights @ gain]))
        kl.append(np.concatenate([[0.0], weights @ one.kl_K]))
    table = Budgets(np.stack(picked), np.stack(kl), [0.0, *budgets])
    found = read_peaks(table, fixed_split())
    if all(one.gain_KB is not None for one in rows):
        return found
    return found._replace(gold_SB=found.gold_SB.mean(axis=1, keepdims=True))


def measured_curve(one: SeedRows, column: str, against: str = "kl_nats") -> tuple[Floats, Floats]:
    """KL, or another divergence, and a column where both were measured.

    Raises:
        ValueError: one of them was not stored.
    """
    x_K = one.column(against)
    there = ~np.isnan(one.column(column)) & (x_K >= 0.0)
    return x_K[there], one.column(column)[there]


@dataclass(frozen=True)
class Best:
    """A statistic of the best of several arms: each seed's is the best by the other seeds' mean.

    A seed is never read where it picked. Its prompts are those that the others picked by, and any
    two choices have all but two of their seeds in common, so that an interval over seeds is too
    narrow: of arms that are all alike, a fixed arm against the best of six was told apart in 4.7 %
    of draws on a side with 5 seeds and in 5.8 with 8 (2.5 asked), two bests of six in 7 and 10, as
    simulated. With one seed there is no best.
    """

    of: tuple[Statistic, ...]

    @property
    def arms(self) -> tuple[Arm, ...]:
        return arms_of(self.of)

    @property
    def name(self) -> str:
        return f"best on other seeds of {self.of[0].name} and {len(self.of) - 1} more"

    def read(self, scope: Scope) -> Tables:
        read = [one.read(scope) for one in self.of]
        tables = {}
        for world in scope.worlds:
            value_AS = np.stack([tables_[world].mean(axis=1) for tables_ in read])
            n_seeds = value_AS.shape[1]
            if n_seeds < 2:
                raise NotMeasured("the best of several arms is chosen on other seeds; there is one")
            others_AS = (value_AS.sum(axis=1, keepdims=True) - value_AS) / (n_seeds - 1)
            best_S = others_AS.argmax(axis=0)
            tables[world] = value_AS[best_S, np.arange(n_seeds)][:, None]
        return tables


@dataclass(frozen=True)
class Minus:
    """The difference of two statistics, paired by world, seed and, where both have them, prompt."""

    first: Statistic
    second: Statistic

    @property
    def arms(self) -> tuple[Arm, ...]:
        return arms_of((self.first, self.second))

    @property
    def name(self) -> str:
        return f"{self.first.name}, less {self.second.name}"

    def read(self, scope: Scope) -> Tables:
        first, second = self.first.read(scope), self.second.read(scope)
        return {world: subtract(first[world], second[world]) for world in first}


def subtract(first_SB: Floats, second_SB: Floats) -> Floats:
    """By prompt where both have the same prompts, else by seed."""
    if first_SB.shape != second_SB.shape:
        first_SB, second_SB = (x.mean(axis=1, keepdims=True) for x in (first_SB, second_SB))
    return first_SB - second_SB


@dataclass(frozen=True)
class Along:
    """Slope of a statistic over the levels of an axis, per unit of the axis."""

    axis: str
    levels: tuple[tuple[float, Statistic], ...]

    @property
    def arms(self) -> tuple[Arm, ...]:
        return arms_of(one for _, one in self.levels)

    @property
    def name(self) -> str:
        return f"slope over {self.axis} of {self.levels[0][1].name} and {len(self.levels) - 1} more"

    def read(self, scope: Scope) -> Tables:
        read = [one.read(scope) for _, one in self.levels]
        x_L = [x for x, _ in self.levels]
        tables = {}
        for world in scope.worlds:
            of_world = [tables_[world] for tables_ in read]
            if len({one.shape for one in of_world}) > 1:
                of_world = [one.mean(axis=1, keepdims=True) for one in of_world]
            tables[world] = slopes(x_L, of_world)
        return tables


def place_of(scope: Scope, arm: Arm, at_nats: float | Own | None) -> float:
    """The KL at which an arm is read, nats."""
    if at_nats is None:
        return scope.common_end()
    return max(_own_budgets(scope, arm)) if isinstance(at_nats, str) else at_nats


def _place(at_nats: float | Own | None) -> str:
    if at_nats is None:
        return "the common end"
    return f"the {at_nats}" if isinstance(at_nats, str) else f"{at_nats:g} nats"
