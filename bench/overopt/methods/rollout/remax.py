"""ReMax: REINFORCE whose baseline is the reward of the prompt's greedy response.

Paper: Li et al. 2023, "ReMax: A Simple, Effective, and Efficient Reinforcement Learning Method for
Aligning Large Language Models" (https://arxiv.org/abs/2310.10505):
    gradient of J = E[ (R(y) - r(y_greedy)) grad log pi(y|x) ],  y_greedy of the likeliest tokens
    R = r - beta log( pi(y|x)/pi_ref(y|x) )
The baseline does not depend on y, so that the gradient is unbiased and one sample is enough; the
optimum is pi_ref exp(r/beta)/Z. The equation's number was not verified.
Deviations: beta is 0 by default, so that a run walks through KL and is read along its steps; the
penalty is that of whole responses. A rollout has the task's number of samples of each prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.methods.math.estimators import reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("greedy_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of ReMax."""

    beta: float = param(
        0.0, help="KL penalty inside the reward", unit="reward SDs/nat", at_least=0.0
    )


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Penalized reward of each response less the greedy one's reward, reward SDs, (B, N).

    Reference:
        ReMax, https://arxiv.org/abs/2310.10505
    """
    greedy_B1 = given(rollout.opponents, "greedy_samples").reward_BN
    return rollout.reward_BN - config.beta * rollout.sampled.log_ratio - greedy_B1


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -A log pi(y|x), in nats."""
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
