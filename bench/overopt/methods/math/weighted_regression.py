"""Advantage-weighted regression: likelihood of data, by the exponential of each advantage."""

from __future__ import annotations

import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import given


def advantage_weighted(
    batch: Reading, temperature: float | Tensor, policy_share: float, largest_weight: float
) -> Tensor:
    """Weighted likelihood and squared error of the value, summed over tokens, shape (B,).

    L = sum_t -a min( exp( (R - V_t)/T ), w_max ) log pi(y_t) + (1 - a) (R - V_t)^2

    Args:
        batch: log-probabilities (B, T), values V (B, T, 1) and rewards R (B,), SDs.
        temperature: T, SDs; of all responses, or of each, (B, 1).
        policy_share: a.
        largest_weight: w_max.

    Reference:
        Pretraining Language Models with Human Preferences, https://arxiv.org/abs/2302.08582
    """
    value_BT = given(batch.output, "policy_states").squeeze(-1)
    error_BT = given(batch.weight, "weight_K of build")[:, None] - value_BT
    weight_BT = torch.exp(error_BT.detach() / temperature).clamp(max=largest_weight)
    policy_BT = -weight_BT * batch.policy_logp
    return ((policy_share * policy_BT + (1 - policy_share) * error_BT**2) * batch.mask).sum(-1)
