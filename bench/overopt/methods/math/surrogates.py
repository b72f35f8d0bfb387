"""Losses by probability ratios, and the ways in which papers average them over tokens.

A ratio is of the policy now over the policy that sampled; it is 1 in the first step on a rollout.
"""

from __future__ import annotations

import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep


def token_log_ratio(step: RolloutStep) -> Tensor:
    """log of each token's ratio, nats, (B, N, T), 0 on padding."""
    return (step.now.policy_logp - step.rollout.sampled.policy_logp) * step.now.mask


def response_log_ratio(step: RolloutStep) -> Tensor:
    """log of each whole response's ratio, nats, (B, N)."""
    return token_log_ratio(step).sum(-1)


def clipped_surrogate(log_ratio: Tensor, advantage: Tensor, low: float, high: float) -> Tensor:
    """PPO's pessimistic loss of each entry: max(-A rho, -A clip(rho, 1 - low, 1 + high)).

    Args:
        log_ratio: log of rho.
        advantage: A, same shape.
        low: how far below 1 a ratio counts.
        high: how far above.

    Reference:
        Proximal Policy Optimization Algorithms, eq. 7, https://arxiv.org/abs/1707.06347
    """
    ratio = log_ratio.exp()
    return torch.maximum(-advantage * ratio, -advantage * ratio.clamp(1 - low, 1 + high))


def k3(now: Reading) -> Tensor:
    """exp(-d) + d - 1 of each token, d = log(pi / pi_ref), nats, (..., T), 0 on padding.

    Its mean over samples of pi is the step's KL(pi || pi_ref); its gradient, as a loss, is on
    average that of the step's KL(pi_ref || pi), after prefixes of pi. What a choice costs at later
    steps is left out of it, see ``kl_penalties``.

    Reference:
        DeepSeekMath, eq. 4, https://arxiv.org/abs/2402.03300
    """
    log_ratio = (now.policy_logp - now.reference_logp) * now.mask
    return torch.exp(-log_ratio) + log_ratio - 1


def penalty(step: RolloutStep, corrected: bool) -> Tensor:
    """``k3`` of each token, times its ratio if corrected, (B, N, T).

    The ratio makes the gradient on average that of the step's KL(pi || pi_ref), after prefixes of
    pi; later steps are left out of it too.

    Reference:
        DeepSeek-V3.2, unbiased KL estimate, https://arxiv.org/abs/2512.02556
    """
    value_BNT = k3(step.now)
    return value_BNT * token_log_ratio(step).exp() if corrected else value_BNT


def group_standardized(reward_BN: Tensor, epsilon: float = 1e-4) -> Tensor:
    """Rewards less their group's mean, over its unbiased SD + epsilon, (B, N).

    Reference:
        DeepSeekMath, section on outcome supervision, https://arxiv.org/abs/2402.03300
    """
    centered_BN = reward_BN - reward_BN.mean(-1, keepdim=True)
    return centered_BN / (reward_BN.std(-1, keepdim=True) + epsilon)


def token_mean(value_BNT: Tensor, mask_BNT: Tensor) -> Tensor:
    """Mean over each response's own tokens, (B, N)."""
    return (value_BNT * mask_BNT).sum(-1) / mask_BNT.sum(-1).clamp(min=1)


def batch_token_mean(value_BNT: Tensor, mask_BNT: Tensor) -> Tensor:
    """Sum over each response's tokens, (B, N), weighted so that its mean is over all tokens."""
    return (value_BNT * mask_BNT).sum(-1) * (mask_BNT[..., 0].numel() / mask_BNT.sum())
