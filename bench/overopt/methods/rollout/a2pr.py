"""A2PR, an analogue: RL held to the better ones among samples of the initial policy.

Paper: Liu et al. 2024, "Adaptive Advantage-Guided Policy Regularization for Offline Reinforcement
Learning" (https://arxiv.org/abs/2405.19909): TD3 on logged data whose actor descends
    -alpha Q(s, pi(s))/mean |Q| + 1[A > 0] (pi(s) - a_better)^2
a_better the one of higher advantage out of the action in the data and one of a behavior model that
was fitted to good actions, and only where it is better than V(s). An analogue for language: both
are samples of the initial policy, V is the mean reward of the policy's own samples, and the
regularizer is the likelihood of the better one,
    L = RLOO loss - lambda 1[r_better > V] log pi(y_better|x)
As the policy outgrows the initial one, fewer of its samples count. lambda = 0 is RLOO.
The paper's form was checked against the authors' released code.
Deviations: it is an analogue; the data's own text is not used; there is no fitted behavior model;
rewards are in SDs, and so are not divided by their mean size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.methods.math.responses import log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("imitation", low=0.003, high=100.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("reference_samples", "opponents_now")


@dataclass(frozen=True)
class Config:
    """Settings of A2PR."""

    imitation: float = param(
        0.4, help="lambda, weight of the better sample's likelihood", at_least=0.0
    )


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Reward of each response minus the mean of its prompt's others, reward SDs, (B, N)."""
    return leave_one_out(rollout.reward_BN)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of own samples and weighted likelihood of good initial ones, nats, (B, N).

    Args:
        config: imitation lambda.
        step: advantage (B, N); own samples and those of the initial policy as the policy reads
            them now.

    Returns:
        Shape (B, N); own sample i shares an entry with the better of initial samples i and i + 1.

    Reference:
        Adaptive Advantage-Guided Policy Regularization, https://arxiv.org/abs/2405.19909
    """
    other_BN = given(step.rollout.opponents, "reference_samples").reward_BN
    logp_BN = log_likelihood(given(step.opponents, "opponents_now"))
    next_BN = other_BN.roll(-1, -1)
    better_BN = torch.where(other_BN >= next_BN, logp_BN, logp_BN.roll(-1, -1))
    value_B1 = step.rollout.reward_BN.mean(-1, keepdim=True)
    counts_BN = torch.maximum(other_BN, next_BN) > value_B1
    own_BN = reinforce(step.advantage, step.now.policy_logp, step.now.mask)
    return own_BN - config.imitation * counts_BN * better_BN
