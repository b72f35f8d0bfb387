"""CISPO: REINFORCE whose importance weights are clipped, so that every token keeps its gradient.

Paper: MiniMax 2025, "MiniMax-M1: Scaling Test-Time Compute Efficiently with Lightning Attention"
(https://arxiv.org/abs/2506.13585):
    L = -1/(sum_i |y_i|) sum_i sum_t sg( min(w_t, c) ) A_i log pi(y_t),   A as in GRPO
The paper's c is 1 + e; there is no bound below. In the first step on a rollout it is GRPO's
gradient with a mean over all tokens.
Checked against TRL's loss "cispo" on the same samples, to 1e-6; c is TRL's ``epsilon_high``, whose
recommended value, 5, is the default here.
Deviations: beta, 0 as in the paper, adds GRPO's k3 and is there as a knob; a rollout is cut into 4
minibatches.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.surrogates import (
    batch_token_mean,
    group_standardized,
    k3,
    token_log_ratio,
)
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of CISPO."""

    beta: float = param(0.0, help="weight of k3 in the loss", unit="1/nats", at_least=0.0)
    ceiling: float = param(5.0, help="c, largest importance weight", above=0.0)
    minibatches: int = param(4, help="gradient steps on a rollout", at_least=1)


def training(config: Config) -> Training:
    """Minibatches of a rollout."""
    return Training(minibatches=config.minibatches)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Rewards standardized within each prompt's group, (B, N)."""
    return group_standardized(rollout.reward_BN)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Weighted REINFORCE loss and k3 of each response, (B, N); its mean is over tokens.

    Reference:
        MiniMax-M1, section on CISPO, https://arxiv.org/abs/2506.13585
    """
    weight_BNT = token_log_ratio(step).exp().clamp(max=config.ceiling).detach()
    policy_BNT = -weight_BNT * step.advantage_BNT * step.now.policy_logp
    return batch_token_mean(policy_BNT + config.beta * k3(step.now), step.now.mask)
