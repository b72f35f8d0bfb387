"""GRPO: clipped policy gradient whose baseline and scale are those of a prompt's own samples.

Paper: Shao et al. 2024, "DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open
Language Models" (https://arxiv.org/abs/2402.03300), eqs. 3 and 4, outcome supervision:
    A_i = (r_i - mean r) / SD r                  over the N samples of a prompt
    L_i = 1/|y_i| sum_t [ max(-A_i w_t, -A_i clip(w_t, 1 - e, 1 + e)) + beta k3_t ]
    w_t = pi/pi_sampled,   k3 = exp(-d) + d - 1,   d = log(pi/pi_ref), with gradient
As a loss on fresh samples, k3_t has the gradient of step t's own KL(pi_ref || pi), after prefixes
of the policy, and w_t k3_t that of the step's KL(pi || pi_ref) (the correction of DeepSeek-V3.2,
https://arxiv.org/abs/2512.02556; an option here). What a choice costs at later steps is left out
of both, so that only for responses of one token they are the gradients of the whole KL.
Checked against TRL's loss "grpo" on the same samples, to 1e-6: value, advantages, gradient, with
and without the correction; the SD is the unbiased one, to which TRL adds 1e-4, as here.
Deviations: beta is 0 by default, so that a run walks through KL and is read along its steps (the
paper: .04). Each rollout serves one step by default, as in the paper, and then nothing is clipped.
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
    penalty,
    token_log_ratio,
    token_mean,
)
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of GRPO."""

    beta: float = param(0.0, help="weight of k3 in the loss", unit="1/nats", at_least=0.0)
    corrected: bool = param(False, help="multiply k3 by the probability ratio")
    clip: float = param(0.2, help="largest change of a token's probability ratio", above=0.0)
    epochs: int = param(1, help="passes over the samples of one rollout", at_least=1)
    minibatches: int = param(1, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches."""
    return Training(config.epochs, config.minibatches)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Rewards standardized within each prompt's group, (B, N)."""
    return group_standardized(rollout.reward_BN)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Clipped policy loss and weighted k3 of each response, means over its tokens, (B, N).

    Args:
        config: beta, corrected, clip.
        step: advantage (B, N), log-probabilities (B, N, T) now and when sampled.

    Reference:
        DeepSeekMath, eqs. 3 and 4, https://arxiv.org/abs/2402.03300
    """
    log_ratio_BNT = token_log_ratio(step)
    policy_BNT = clipped_surrogate(log_ratio_BNT, step.advantage_BNT, config.clip, config.clip)
    penalty_BNT = config.beta * penalty(step, config.corrected)
    return token_mean(policy_BNT + penalty_BNT, step.now.mask)
