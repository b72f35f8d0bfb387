"""Pieces of mathematics that several papers share: baselines, advantages, clipping.

Methods do not import each other; what two of them need alike stands here, with its own source.
"""

from __future__ import annotations

import torch
from torch import Tensor


def leave_one_out(reward_BN: Tensor) -> Tensor:
    """Reward of each response minus the mean of its prompt's others.

    A_i = R_i - 1/(N - 1) sum_{j != i} R_j

    Args:
        reward_BN: rewards of N >= 2 samples per prompt.

    Returns:
        Shape (B, N); every row sums to 0.

    Raises:
        ValueError: if there is only one sample per prompt.

    Reference:
        Back to Basics, section on RLOO, https://arxiv.org/abs/2402.14740
    """
    samples = reward_BN.shape[-1]
    if samples < 2:
        raise ValueError("a leave-one-out baseline needs at least 2 samples per prompt, got 1")
    others_BN = (reward_BN.sum(-1, keepdim=True) - reward_BN) / (samples - 1)
    return reward_BN - others_BN


def reinforce(advantage_BN: Tensor, logp_BNT: Tensor, mask_BNT: Tensor) -> Tensor:
    """REINFORCE loss of each response: -A log pi(y|x), with log pi summed over tokens, in nats.

    Args:
        advantage_BN: A, without gradient.
        logp_BNT: log-probability of each token now, with gradient.
        mask_BNT: 1 on response tokens.

    Returns:
        Shape (B, N); the gradient of its mean is the policy gradient's estimate, negated.

    Reference:
        Back to Basics, section on RLOO, https://arxiv.org/abs/2402.14740
    """
    return -advantage_BN * (logp_BNT * mask_BNT).sum(-1)


def last_token(mask: Tensor) -> Tensor:
    """1 at the last response token of each row of a mask (..., T), 0 elsewhere."""
    following = torch.nn.functional.pad(mask, (0, 1))[..., 1:]
    return mask * (1 - following)


def generalized_advantages(
    reward_BNT: Tensor, value_BNT: Tensor, mask_BNT: Tensor, gamma: float, lam: float
) -> Tensor:
    """Generalized advantage estimate of each token, in the reward's unit.

    A_t = sum_{l >= 0} (gamma lambda)^l delta_{t+l},   delta_t = r_t + gamma V_{t+1} - V_t

    with V = 0 after the last token. The sum over l is one product with the upper triangular
    matrix of (gamma lambda)^l.

    Args:
        reward_BNT: reward of each token.
        value_BNT: value of the prefix before each token.
        mask_BNT: 1 on response tokens.
        gamma: discount.
        lam: lambda.

    Returns:
        Shape (B, N, T), 0 on padding.

    Reference:
        High-Dimensional Continuous Control Using Generalized Advantage Estimation, eq. 16,
        https://arxiv.org/abs/1506.02438
    """
    value_BNT = value_BNT * mask_BNT
    next_BNT = torch.nn.functional.pad(value_BNT, (0, 1))[..., 1:]
    delta_BNT = (reward_BNT + gamma * next_BNT - value_BNT) * mask_BNT
    position_T = torch.arange(mask_BNT.shape[-1], device=mask_BNT.device)
    ahead_TT = position_T[:, None] - position_T[None, :]
    decay_TT = torch.where(ahead_TT >= 0, (gamma * lam) ** ahead_TT.clamp(min=0).to(delta_BNT), 0.0)
    return (delta_BNT @ decay_TT) * mask_BNT


def masked_mean(value: Tensor, mask: Tensor) -> Tensor:
    """Mean over all entries whose mask is 1; a scalar."""
    return (value * mask).sum() / mask.sum()


def standardize(value: Tensor, mask: Tensor, epsilon: float = 1e-8) -> Tensor:
    """Values with mean 0 and population SD 1 over the entries whose mask is 1; 0 elsewhere."""
    centered = (value - masked_mean(value, mask)) * mask
    return centered * torch.rsqrt(masked_mean(centered.square(), mask) + epsilon)
