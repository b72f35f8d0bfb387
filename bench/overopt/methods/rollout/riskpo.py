"""RiskPO: policy gradient on mixed value at risk of bundles of prompts.

Paper: Ren et al. 2025, "RiskPO: Risk-Based Policy Optimization via Verifiable Reward for LLM
Post-Training" (https://arxiv.org/abs/2510.00911). The j-th samples of the prompts of a bundle make
paper j, S_j the sum of their rewards; with q_lo, q_hi a bundle's quantiles of S at a_lo and a_hi
    A_RVaR = ( (S - q_lo)_+ - (S - q_hi)_+ + [q_lo - q_hi] )/(a_hi - a_lo)
    A_CVaR = -(q_lo - S)_+ / a_lo,    A = (w A_CVaR + A_RVaR)/(w + 1) / SD S
and every response of a paper gets its A. w and the levels move risk, not KL. Checked against the
authors' released code: these forms, w 1.5, bundles of 5, clipping at .2, means over the batch's
tokens. The bracket, with which no A is above 0, is its default and that of its scripts for MATH;
the one for DAPO-Math leaves it out (``baseline``). Levels are .2 and .8 there, .2 and .9 for MATH.
Deviations: quantiles are those of a bundle's own papers, the code's mode "batch", where its scripts
track them by SGD; each response has the whole A of its paper, the code's default, where its scripts
divide it by the SD of its prompt's rewards or share it out by gains over their means; papers that
tie have A = 0, as their SD is rounding; prompts that do not fill a bundle are spread over the
others, whose S is scaled to five prompts. The code has no penalty: beta, 0 here too, is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.surrogates import (
    batch_token_mean,
    clipped_surrogate,
    k3,
    token_log_ratio,
)
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of RiskPO."""

    beta: float = param(0.0, help="weight of k3 in the loss", unit="1/nats", at_least=0.0)
    tail_weight: float = param(1.5, help="w, weight of the tail below a_lo", at_least=0.0)
    low: float = param(0.2, help="a_lo, level of the lower quantile", at_least=0.0, at_most=1.0)
    high: float = param(0.8, help="a_hi, level of the upper quantile", at_least=0.0, at_most=1.0)
    bundle: int = param(5, help="prompts whose samples make a paper", unit="prompts", at_least=1)
    baseline: bool = param(True, help="add q_lo - q_hi to the gain between the quantiles")
    clip_low: float = param(0.2, help="how far below 1 a ratio counts", above=0.0)
    clip_high: float = param(0.2, help="how far above 1 a ratio counts", above=0.0)
    minibatches: int = param(4, help="gradient steps on a rollout", at_least=1)


def training(config: Config) -> Training:
    """Minibatches of a rollout."""
    return Training(minibatches=config.minibatches)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Mixed value at risk of each response's paper, in SDs of its bundle's papers, (B, N).

    Raises:
        ValueError: the lower level is above the upper one.
    """
    if config.low > config.high:
        raise ValueError(f"low = {config.low} is above high = {config.high}; it is the lower level")
    reward_BN = rollout.reward_BN
    groups = reward_BN.tensor_split(max(1, len(reward_BN) // config.bundle))
    score_PN = torch.stack([config.bundle * group.mean(0) for group in groups])
    levels = torch.tensor([config.low, config.high]).to(score_PN)
    low, high = torch.quantile(score_PN, levels, dim=1, keepdim=True)
    gain_PN = (score_PN - low).clamp(min=0) - (score_PN - high).clamp(min=0)
    if config.baseline:
        gain_PN = gain_PN + low - high
    gain_PN = gain_PN / max(config.high - config.low, 1e-8)
    tail_PN = -(low - score_PN).clamp(min=0) / max(config.low, 1e-8)
    mixed_PN = (config.tail_weight * tail_PN + gain_PN) / (config.tail_weight + 1)
    sd_P1 = score_PN.std(-1, keepdim=True)
    # where papers tie, it is rounding, which A would be magnified by
    mixed_PN = torch.where(sd_P1 > 1e-6, mixed_PN / (sd_P1 + 1e-6), 0.0)
    return torch.cat([row.expand_as(group) for row, group in zip(mixed_PN, groups, strict=True)])


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Clipped policy loss and weighted k3 of each response, (B, N); its mean is over tokens."""
    policy_BNT = clipped_surrogate(
        token_log_ratio(step), step.advantage_BNT, config.clip_low, config.clip_high
    )
    return batch_token_mean(policy_BNT + config.beta * k3(step.now), step.now.mask)
