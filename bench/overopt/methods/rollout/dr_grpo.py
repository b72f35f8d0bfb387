"""Dr. GRPO: GRPO without dividing by a group's SD or by a response's length.

Paper: Liu et al. 2025, "Understanding R1-Zero-Like Training: A Critical Perspective"
(https://arxiv.org/abs/2503.20783), as GRPO but for
    A_i = r_i - mean r,     L_i = 1/L sum_t [ max(-A_i w_t, -A_i clip(w_t)) + beta k3_t ]
with a constant L, so that neither nearly solved prompts nor short right and long wrong responses
weigh more than others. With N samples A is (N-1)/N times the leave-one-out advantage.
Checked against TRL's loss "dr_grpo" (L its largest completion length) on the same samples, to 1e-6,
with and without the ratio in front of k3.
Deviations: beta is 0 by default, as in the paper; L is a setting, as a method does not know the
task's limit, and matters little under Adam; each rollout serves one step by default.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.surrogates import clipped_surrogate, penalty, token_log_ratio
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of Dr. GRPO."""

    beta: float = param(0.0, help="weight of k3 in the loss", unit="reward SDs/nat", at_least=0.0)
    corrected: bool = param(False, help="multiply k3 by the probability ratio")
    clip: float = param(0.2, help="largest change of a token's probability ratio", above=0.0)
    divisor: float = param(16.0, help="L, of the sums over tokens", unit="tokens", above=0.0)
    epochs: int = param(1, help="passes over the samples of one rollout", at_least=1)
    minibatches: int = param(1, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches."""
    return Training(config.epochs, config.minibatches)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Rewards less their group's mean, (B, N)."""
    return rollout.reward_BN - rollout.reward_BN.mean(-1, keepdim=True)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Clipped policy loss and weighted k3, summed over tokens, over L, (B, N).

    Reference:
        Understanding R1-Zero-Like Training, https://arxiv.org/abs/2503.20783
    """
    policy_BNT = clipped_surrogate(
        token_log_ratio(step), step.advantage_BNT, config.clip, config.clip
    )
    token_BNT = policy_BNT + config.beta * penalty(step, config.corrected)
    return (token_BNT * step.now.mask).sum(-1) / config.divisor
