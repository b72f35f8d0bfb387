"""SAPO: GRPO with a smooth gate on ratios in place of the clip.

Paper: Gao et al. 2025, "Soft Adaptive Policy Optimization" (https://arxiv.org/abs/2511.20347):
    L_i = -1/|y_i| sum_t f(w_t) A_i,   f(w) = 4/t sigmoid( t (w - 1) )
t = 1 where A > 0 and 1.05 elsewhere, so that what is unlearned fades faster; A as in GRPO. f has
slope 1 at w = 1, where the gradient is GRPO's, and less and less away from it.
Checked against TRL's loss "sapo" on the same samples, to 1e-6.
Deviations: beta, 0 as in the paper, adds GRPO's k3 and is there as a knob; a rollout is cut into 4
minibatches.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.surrogates import (
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
    """Settings of SAPO."""

    beta: float = param(0.0, help="weight of k3 in the loss", unit="1/nats", at_least=0.0)
    gain_sharpness: float = param(1.0, help="t of tokens whose advantage is positive", above=0.0)
    other_sharpness: float = param(1.05, help="t of the others", above=0.0)
    minibatches: int = param(4, help="gradient steps on a rollout", at_least=1)


def training(config: Config) -> Training:
    """Minibatches of a rollout."""
    return Training(minibatches=config.minibatches)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Rewards standardized within each prompt's group, (B, N)."""
    return group_standardized(rollout.reward_BN)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Gated policy loss and weighted k3 of each response, means over its tokens, (B, N).

    Reference:
        Soft Adaptive Policy Optimization, https://arxiv.org/abs/2511.20347
    """
    advantage_BNT = step.advantage_BNT
    sharpness_BNT = torch.where(
        advantage_BNT > 0, config.gain_sharpness, config.other_sharpness
    ).to(advantage_BNT)
    change_BNT = token_log_ratio(step).exp() - 1
    gate_BNT = 4 / sharpness_BNT * torch.sigmoid(sharpness_BNT * change_BNT)
    return token_mean(-gate_BNT * advantage_BNT + config.beta * k3(step.now), step.now.mask)
