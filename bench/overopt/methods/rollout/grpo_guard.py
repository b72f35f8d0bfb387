"""GRPO-Guard, an analogue: ratios without their bias and with less spread, so that clips bind.

Paper: Wang et al. 2025, "GRPO-Guard: Mitigating Implicit Over-Optimization in Flow Matching via
Regulated Clipping" (https://arxiv.org/abs/2510.22319). An analogue for language: in the paper a
step of a flow has a log-ratio of mean -b, and its ratio is exp((log w + b) s) for the known b and
noise scale s (eq. 8), clipped about 1, and the loss is divided by dt (eq. 12). Tokens have no known
b and s; here, over the tokens of a prompt's N responses,
    w = exp( k (log w_t - mean log w) ),   k = min(1, spread / SD log w)
    L = mean_t max(-A w, -A clip(w, 1 - e, 1 + e)) + beta k3,   A as in GRPO
In the first step on a rollout, and with no bias and little spread, it is GRPO's loss. The paper's
form was checked against authors' and other released code.
Deviations: it is an analogue; mean and k are constants of the gradient; without steps of different
length nothing is reweighted; the spread that is allowed is ours. beta is 0 by default.
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
    """Settings of GRPO-Guard."""

    beta: float = param(0.0, help="weight of k3 in the loss", unit="1/nats", at_least=0.0)
    clip: float = param(0.2, help="largest change of a guarded ratio", above=0.0)
    spread: float = param(0.2, help="largest SD of log-ratios in a group", unit="nats", above=0.0)
    epochs: int = param(4, help="passes over the samples of one rollout", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs."""
    return Training(config.epochs)


def guarded(log_ratio_BNT: Tensor, mask_BNT: Tensor, spread: float) -> Tensor:
    """Log-ratios of a group's tokens less their mean, brought to an SD of at most ``spread``."""
    still_BNT, tokens_B11 = log_ratio_BNT.detach(), mask_BNT.sum((1, 2), keepdim=True)
    mean_B11 = (still_BNT * mask_BNT).sum((1, 2), keepdim=True) / tokens_B11
    square_BNT = ((still_BNT - mean_B11) * mask_BNT).square()
    sd_B11 = (square_BNT.sum((1, 2), keepdim=True) / tokens_B11).sqrt()
    return (log_ratio_BNT - mean_B11) * (spread / sd_B11.clamp(min=spread))


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Rewards standardized within each prompt's group, (B, N)."""
    return group_standardized(rollout.reward_BN)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Clipped policy loss of guarded ratios and weighted k3 of each response, (B, N)."""
    log_ratio_BNT = guarded(token_log_ratio(step), step.now.mask, config.spread)
    policy_BNT = clipped_surrogate(log_ratio_BNT, step.advantage_BNT, config.clip, config.clip)
    return token_mean(policy_BNT + config.beta * k3(step.now), step.now.mask)
