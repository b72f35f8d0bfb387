"""GSPO: GRPO with one ratio per response, the geometric mean of its tokens'.

Paper: Zheng et al. 2025, "Group Sequence Policy Optimization" (https://arxiv.org/abs/2507.18071):
    s_i = (pi/pi_sampled)^(1/|y_i|),   L_i = max(-A_i s_i, -A_i clip(s_i, 1 - 3e-4, 1 + 4e-4))
A as in GRPO. A response is clipped as a whole, or not at all.
Checked against TRL's loss "grpo" with ratios of sequences, on the same samples, to 1e-6.
Deviations: beta, 0 as in the paper, adds the token mean of GRPO's k3 and is there as a knob; the
bounds are the paper's, for responses of thousands of tokens: those of a few tokens move more, and
are clipped after the first of the 4 minibatches that, as in the paper, make up a rollout.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.surrogates import (
    clipped_surrogate,
    group_standardized,
    k3,
    token_log_ratio,
    token_mean,
)
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of GSPO."""

    beta: float = param(0.0, help="weight of k3 in the loss", unit="1/nats", at_least=0.0)
    clip_low: float = param(0.0003, help="how far below 1 a ratio counts", above=0.0)
    clip_high: float = param(0.0004, help="how far above 1 a ratio counts", above=0.0)
    minibatches: int = param(4, help="gradient steps on a rollout", at_least=1)


def training(config: Config) -> Training:
    """Minibatches of a rollout."""
    return Training(minibatches=config.minibatches)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Rewards standardized within each prompt's group, (B, N)."""
    return group_standardized(rollout.reward_BN)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Clipped policy loss of each response and its weighted k3, a mean over its tokens, (B, N).

    Reference:
        Group Sequence Policy Optimization, https://arxiv.org/abs/2507.18071
    """
    mask_BNT = step.now.mask
    log_ratio_BN = token_mean(token_log_ratio(step), mask_BNT)
    policy_BN = clipped_surrogate(log_ratio_BN, step.advantage, config.clip_low, config.clip_high)
    return policy_BN + config.beta * token_mean(k3(step.now), mask_BNT)
