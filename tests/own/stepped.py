"""A method of a user's own that pays each token for the steps that end from it on.

Paper: none, 2026. For tests of the scores of steps.
Deviations: none.
"""

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("step_rewards",)


@dataclass(frozen=True)
class Config:
    """Settings of the payment."""

    beta: float = param(0.0, help="price of a nat", at_least=0.0)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Chance that a step is right, over what a coin says, summed from each token on, (B, N, T)."""
    end_BNT = given(rollout.step_end, "step_rewards")
    paid_BNT = (rollout.step_reward_BNT.sigmoid() - 0.5) * end_BNT
    return paid_BNT.flip(-1).cumsum(-1).flip(-1) * rollout.sampled.mask


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE by token, and KL by k2."""
    now = step.now
    drift_BN = ((now.policy_logp - now.reference_logp) * now.mask).square().sum(-1) / 2
    return -(step.advantage_BNT * now.policy_logp).sum(-1) + config.beta * drift_BN
