"""SALSA: RL whose KL penalty is toward the average of two fine-tuned policies.

Paper: Chegini et al. 2024, "SALSA: Soup-based Alignment Learning for Stronger Adaptation in RLHF"
(https://arxiv.org/abs/2411.01798):
    R = r - beta log( pi(y|x)/pi_soup(y|x) ),   theta_soup = (1-a) theta_1 + a theta_2
for two independently fine-tuned policies, of which pi starts as the first; a = .5 was best. The
optimum is pi_soup exp(r/beta)/Z, and a = 0 is RL with the usual penalty. Known from the abstract
and public reviews; the equation's number and the paper's beta were not verified.
Deviations: the gradient is RLOO's instead of PPO's; the second policy is the first one fine-tuned
for another epoch on other texts, since small policies trained twice from scratch have no common
start and their average is neither; KL is reported to the first policy, as for every method.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Weights
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("second_initial",)


@dataclass(frozen=True)
class Config:
    """Settings of SALSA."""

    beta: float = param(
        0.05, help="KL penalty toward the soup", unit="reward SDs/nat", at_least=0.0
    )
    second_share: float = param(
        0.5, help="a, share of the second policy in the soup", at_least=0.0, at_most=1.0
    )


def first_anchor(config: Config, initial: Weights, second: Weights) -> Weights:
    """(1-a) theta_1 + a theta_2, which stays the anchor throughout.

    Reference:
        SALSA, https://arxiv.org/abs/2411.01798
    """
    return {name: value.lerp(second[name], config.second_share) for name, value in initial.items()}


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Penalized reward of each response minus the mean of its prompt's others, (B, N).

    Args:
        config: beta, reward SDs per nat.
        rollout: rewards (B, N), log-probabilities (B, N, T) under policy and soup.

    Reference:
        SALSA, https://arxiv.org/abs/2411.01798
    """
    return leave_one_out(rollout.reward_BN - config.beta * rollout.sampled.anchor_log_ratio)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -A log pi(y|x), in nats."""
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
