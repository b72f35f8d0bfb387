"""Statistics of whole runs: of training, step by step, and of a curve's two areas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from overopt.report.verdicts.arms import Arm, NotMeasured, OfArm, Scope, SeedRows, Undefined
from overopt.report.verdicts.statistics import Tables, measured_curve, per_seed
from overopt.stats.arrays import Floats
from overopt.stats.fits.forms import Form
from overopt.stats.scores import overoptimization_degree, overoptimization_order
from overopt.stats.verdicts.curves import fit_curve

TAIL = 0.2
"""Share of the steps that counts as the end of training."""


@dataclass(frozen=True)
class Trained(OfArm):
    """What a column of training came to: its change from first to last step, or its late slope.

    Attributes:
        arm: a method that trains, in one run.
        column: of ``trajectory.csv``.
        of: ``change``: mean over the last fifth of the steps less the first value; ``late-slope``:
            slope over the last half of the steps, per hundred of them.
    """

    column: str
    of: Literal["change", "late-slope"] = "change"

    @property
    def name(self) -> str:
        return f"{self.of.replace('-', ' ')} of {self.column} in training, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(scope, self.arm, self._number)

    def _number(self, one: SeedRows) -> float:
        step_K, value_K = seen(one, self.column)
        if self.of == "change":
            last = max(1, round(TAIL * len(value_K)))
            return float(value_K[-last:].mean() - value_K[0])
        half = len(step_K) // 2
        return 100.0 * float(np.polyfit(step_K[half:], value_K[half:], 1)[0])


@dataclass(frozen=True)
class StepsToRegain(OfArm):
    """Share of a period that the reward takes after a reset to be at a share of its former value.

    At every ``period`` steps the policy is reset, and a row of training tells of samples that were
    drawn after its step: that of a reset's own step is the first of the reset policy. The reward
    before is the mean of the last sixth of the period. What a reset took away is regained at the
    first step at which no more than 1 - ``share`` of it is missing; a period in which that does not
    come counts as 1.

    Attributes:
        arm: a run with resets.
        period: steps from one reset to the next.
        share: of the drop.
    """

    period: int
    share: float = 0.95

    @property
    def name(self) -> str:
        return f"share of a period until the reward is regained, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(scope, self.arm, self._number)

    def _number(self, one: SeedRows) -> float:
        step_K, reward_K = seen(one, "reward_mean")
        found = []
        for reset in range(self.period, int(step_K[-1]), self.period):
            before = reward_K[_before(step_K, reset, self.period)]
            after = (step_K >= reset) & (step_K < reset + self.period)
            if not len(before) or not after.any():
                continue
            lowest = float(reward_K[after][0])
            wanted = lowest + self.share * (float(before.mean()) - lowest)
            there = np.flatnonzero(reward_K[after] >= wanted)
            at = float(step_K[after][there[0]]) - reset if len(there) else float(self.period)
            found.append(at / self.period)
        if not found:
            raise NotMeasured(f"{self.arm.name}: no reset in its training")
        return float(np.mean(found))


def _before(step_K: Floats, reset: int, period: int) -> npt.NDArray[np.bool_]:
    """Rows of the last sixth of the period that a reset ends."""
    return (step_K >= reset - period / 6) & (step_K < reset)


@dataclass(frozen=True)
class ResetDrop(OfArm):
    """What a reset takes from a column of training: the last sixth of a period less the next row.

    Attributes:
        arm: a run with resets.
        period: steps from one reset to the next.
        column: of ``trajectory.csv``.
    """

    period: int
    column: str = "kl_nats"

    @property
    def name(self) -> str:
        return f"fall of {self.column} at a reset, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(scope, self.arm, self._number)

    def _number(self, one: SeedRows) -> float:
        step_K, value_K = seen(one, self.column)
        found = []
        for reset in range(self.period, int(step_K[-1]), self.period):
            before, after = value_K[_before(step_K, reset, self.period)], value_K[step_K >= reset]
            if len(before):
                found.append(float(before.mean() - after[0]))
        if not found:
            raise NotMeasured(f"{self.arm.name}: no reset in its training")
        return float(np.mean(found))


@dataclass(frozen=True)
class StepShare(OfArm):
    """Gradient steps of a run as a share of those of several others together.

    Of each run those up to its last policy that was measured.

    Attributes:
        arm: a method that trains.
        others: such as all the runs that a search took.
    """

    others: tuple[Arm, ...]

    @property
    def arms(self) -> tuple[Arm, ...]:
        return tuple(dict.fromkeys((self.arm, *self.others)))

    @property
    def name(self) -> str:
        return f"steps of {self.arm.name} as a share of those of {len(self.others)} other runs"

    def read(self, scope: Scope) -> Tables:
        own = per_seed(scope, self.arm, _steps)
        others = [per_seed(scope, arm, _steps) for arm in self.others]
        return {
            world: np.asarray(table / sum(one[world] for one in others), np.float64)
            for world, table in own.items()
        }


def _steps(one: SeedRows) -> float:
    """The most steps at a policy that was measured."""
    steps_K = one.column("gradient_steps")
    known_K = steps_K[np.isfinite(steps_K)]
    if not known_K.size or known_K.max() <= 0.0:
        raise ValueError("no gradient steps were stored")
    return float(known_K.max())


@dataclass(frozen=True)
class Gamma(OfArm):
    """gamma of each seed: area between the fitted proxy and gold over the area under gold.

    Both curves by the best-of-n form, from the initial policy to the furthest point, as
    `overopt.stats.scores.overoptimization_degree` has it. Areas are over sqrt(KL), the axis of
    Kim et al.'s curves; gamma of this project's own tables is over KL.

    Attributes:
        arm: a method that passes several policies.
        ordered: -1 / gamma instead, for ranks: it orders as gamma does, and a seed whose gold has
            no area, for which there is no gamma, ranks above all that have one.
    """

    ordered: bool = False

    @property
    def name(self) -> str:
        return f"{'order of ' if self.ordered else ''}gamma, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(scope, self.arm, self._number)

    def _number(self, one: SeedRows) -> float:
        (kl_K, gold_K), (_, proxy_K) = (
            measured_curve(one, column) for column in ("gold_mean", "proxy_mean")
        )
        try:
            gold, proxy = (fit_curve(kl_K, one, Form.BON) for one in (gold_K, proxy_K))
            if self.ordered:
                return overoptimization_order(gold, proxy, float(kl_K.max()), "sqrt_kl")
            found = overoptimization_degree(gold, proxy, float(kl_K.max()), "sqrt_kl")
        except ValueError as error:
            raise NotMeasured(f"{self.arm.name}, seed {one.seed}: {error}") from error
        if found is None:
            raise Undefined(f"{self.arm.name}, seed {one.seed}: gold has no area, so no gamma")
        return found


def seen(one: SeedRows, column: str) -> tuple[Floats, Floats]:
    """Steps at which a column was seen, and its values."""
    if column not in one.training:
        raise NotMeasured(f"no {column} in the training of seed {one.seed}")
    step_K, value_K = one.training["step"], one.training[column]
    there = np.isfinite(value_K)
    if there.sum() < 4:
        raise NotMeasured(f"fewer than 4 steps with {column} in the training of seed {one.seed}")
    return step_K[there], value_K[there]
