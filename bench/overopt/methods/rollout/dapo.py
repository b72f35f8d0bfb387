"""DAPO: GRPO with a wider clip above, a mean over all tokens, and a price on overlong responses.

Paper: Yu et al. 2025, "DAPO: An Open-Source LLM Reinforcement Learning System at Scale"
(https://arxiv.org/abs/2503.14476):
    L = 1/(sum_i |y_i|) sum_i sum_t max(-A_i w_t, -A_i clip(w_t, 1 - .2, 1 + .28))
    A as in GRPO, of r + min(0, max(-1, (L_max - L_c - |y|)/L_c))
no KL penalty; groups whose rewards are all alike are drawn again until none is left.
Checked against TRL's loss "dapo" on the same samples, to 1e-6.
Deviations: groups of equal rewards have no advantage here, but are not replaced; the price of
length is off by default, as a method does not know the task's limit; a rollout is cut into 4
minibatches (the paper: 16); beta, 0 as in the paper, adds GRPO's k3 and is there as a knob.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.responses import tokens
from overopt.methods.math.surrogates import (
    batch_token_mean,
    clipped_surrogate,
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
    """Settings of DAPO."""

    beta: float = param(0.0, help="weight of k3 in the loss", unit="1/nats", at_least=0.0)
    clip_low: float = param(0.2, help="how far below 1 a ratio counts", above=0.0)
    clip_high: float = param(0.28, help="how far above 1 a ratio counts", above=0.0)
    limit: int = param(0, help="L_max, length that costs 1; 0: no price", unit="tokens", at_least=0)
    cushion: int = param(
        4, help="L_c, before it, where the price sets in", unit="tokens", at_least=1
    )
    minibatches: int = param(4, help="gradient steps on a rollout", at_least=1)


def training(config: Config) -> Training:
    """Minibatches of a rollout."""
    return Training(minibatches=config.minibatches)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Rewards less the price of length, standardized within each prompt's group, (B, N)."""
    reward_BN = rollout.reward_BN
    if config.limit:
        over_BN = config.limit - config.cushion - tokens(rollout.sampled)
        reward_BN = reward_BN + (over_BN / config.cushion).clamp(-1, 0)
    return group_standardized(reward_BN)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Clipped policy loss and weighted k3 of each response, (B, N); its mean is over tokens.

    Reference:
        DAPO, https://arxiv.org/abs/2503.14476
    """
    policy_BNT = clipped_surrogate(
        token_log_ratio(step), step.advantage_BNT, config.clip_low, config.clip_high
    )
    return batch_token_mean(policy_BNT + config.beta * k3(step.now), step.now.mask)
