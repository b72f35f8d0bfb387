"""RWR: learn all fresh samples by likelihood, each as heavily as the exponential of its score.

Paper: Peters and Schaal 2007, "Reinforcement Learning by Reward-Weighted Regression for Operational
Space Control" (https://doi.org/10.1145/1273496.1273590), as used on language models by Tajwar
et al. 2024, "Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data"
(https://arxiv.org/abs/2404.14367), whose quarter with samples of the policy's own, but without a
negative gradient, it stands for:
    L = -exp( R(y)/T ) log pi(y|x)
(equation numbers not verified). Infinite samples and a full fit take pi_t to pi_t exp(R/T)/Z, so
that t rounds are the tilt of pi_ref at the temperature T/t. It is iterative because the weighted
samples are the policy's own. Checked against the code of Tajwar et al. (T 1, no clipping, no
normalization of weights).
Deviations: log pi(y|x) is summed over tokens, where that code takes a mean over all tokens of the
batch, so that long responses count in proportion. One gradient step is taken on each round. Where
the largest weight of a round exceeds e^20 all are scaled down to that.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("temperature", low=0.1, high=30.0, raises_kl=False)
USES_GOLD = "none"

LARGEST = 20.0
"""Power of e that the largest weight of a round may have. float32 does not hold the squared norm of
gradients from about 42 on; a norm as large as that of e^20 is clipped, whatever it is."""


@dataclass(frozen=True)
class Config:
    """Settings of reward-weighted regression."""

    temperature: float = param(
        1.0, help="T, by which scores are divided in the exponent", unit="SDs", above=0.0
    )


def build(config: Config, rollout: Rollout) -> KeptRows:
    """All samples, with their weights exp(R/T), over a common factor where one exceeds e^20.

    Args:
        config: T, SDs of the initial policy.
        rollout: rewards (B, N), SDs of the initial policy.

    Returns:
        Rows b N + n, shape (B N,), and their weights.

    Reference:
        Reinforcement Learning by Reward-Weighted Regression for Operational Space Control,
        https://doi.org/10.1145/1273496.1273590
    """
    power_R = (rollout.reward_BN / config.temperature).flatten()
    weight_R = torch.exp(power_R - (power_R.max() - LARGEST).clamp(min=0))
    return KeptRows(rollout.row_BN.flatten(), weight_K=weight_R)


def loss(config: Config, batch: Reading) -> Tensor:
    """Weighted negative log-likelihood of each response, nats, shape (B,).

    Reference:
        Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data,
        https://arxiv.org/abs/2404.14367
    """
    return -given(batch.weight, "weight_K of build") * (batch.policy_logp * batch.mask).sum(-1)
