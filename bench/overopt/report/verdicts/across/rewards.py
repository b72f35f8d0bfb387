"""Rewards in training of two runs at the same KL, which one of them may come back to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overopt.report.verdicts.across.relations import per_pair
from overopt.report.verdicts.arms import Arm, NotMeasured, OfArm, OutOfReach, Scope, SeedRows
from overopt.report.verdicts.statistics import Tables
from overopt.report.verdicts.training import seen
from overopt.stats.arrays import Floats

NEAR = 1.5
"""Rows of training whose KL is within this factor of one tell of the reward there."""


@dataclass(frozen=True)
class RewardAtKl(OfArm):
    """Reward in training at a KL that two runs both come to, each pair of seeds at its own.

    Budgets are met once, on the way to them; a run that comes back to a KL again and again, as one
    with resets does, is another policy each time, and its rows of training tell of all. The KL is
    the smaller of the two runs' upper fifths; the reward there is that of a straight line in
    sqrt(KL) through the rows near it.

    Attributes:
        arm: the run that is read.
        other: the run that it is compared with.
        after, other_after: steps of each before which its rows do not count.
    """

    other: Arm
    after: int = 0
    other_after: int = 0

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (self.arm, self.other)

    @property
    def name(self) -> str:
        since = f" after step {self.after}" if self.after else ""
        return f"reward in training{since} at the KL of {self.other.name}, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_pair(scope, self.arm, self.other, self._number)

    def _number(self, one: SeedRows, other: SeedRows) -> float:
        kl_K, reward_K = _rewarded(one, self.after)
        at = min(
            float(np.quantile(values, 0.8))
            for values in (kl_K, _rewarded(other, self.other_after)[0])
        )
        near = (kl_K >= at / NEAR) & (kl_K <= at * NEAR)
        if near.sum() < 4:
            raise OutOfReach(f"{self.arm.name}, seed {one.seed}: hardly at {at:.3g} nats")
        slope, level = np.polyfit(np.sqrt(kl_K[near]), reward_K[near], 1)
        return float(level + slope * np.sqrt(at))


def _rewarded(one: SeedRows, after: int) -> tuple[Floats, Floats]:
    """KL and reward of the rows of training from a step on."""
    step_K, reward_K = seen(one, "reward_mean")
    kl_at = dict(zip(*seen(one, "kl_nats"), strict=True))
    used = [k for k, step in enumerate(step_K) if step >= after and step in kl_at]
    if len(used) < 4:
        raise NotMeasured(f"fewer than 4 steps from {after} on in the training of seed {one.seed}")
    kl_K = np.array([kl_at[step_K[k]] for k in used])
    return np.maximum(kl_K, 0.0), reward_K[used]
