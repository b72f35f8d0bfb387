"""Multipliers of constraints on the scores of several reward models, and what they weigh."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.methods.math.estimators import leave_one_out, standardize


class Multipliers(NamedTuple):
    """u and its momentum, (K,) each; None before the first rollout, as K is not known."""

    u: Tensor | None = None
    velocity: Tensor | None = None


class MultiplierStep(NamedTuple):
    """How u is moved: step size, momentum, largest norm of the gradient."""

    rate: float
    momentum: float
    clip: float


def mean_scores(rollout: Rollout) -> Tensor:
    """Mean score of each of the proxy's members over the rollout, (K,)."""
    return given(rollout.member_reward, "member_rewards").mean((0, 1))


def thresholds(theta: float, shares: str, like_K: Tensor) -> Tensor:
    """Threshold of each member's score, (K,), reward SDs.

    Args:
        theta: reward SDs.
        shares: one number for each member, separated by commas, that theta is multiplied by;
            empty: 1 for each.
        like_K: a tensor of the members' scores, for its shape and kind.

    Raises:
        ValueError: shares are not one finite number for each member.
    """
    if not shares:
        return torch.full_like(like_K, theta)
    try:
        share_K = [float(word) for word in shares.split(",")]
    except ValueError:
        share_K = []
    if len(share_K) != len(like_K) or not all(map(math.isfinite, share_K)):
        raise ValueError(f"shares = {shares}: give one number for each of {len(like_K)} members")
    return theta * torch.tensor(share_K, dtype=like_K.dtype, device=like_K.device)


def moved(before: Multipliers, slope_K: Tensor, by: MultiplierStep) -> Multipliers:
    """u after a step of SGD down a slope that is clipped to a norm."""
    u_K = torch.zeros_like(slope_K) if before.u is None else before.u
    still_K = torch.zeros_like(slope_K) if before.velocity is None else before.velocity
    slope_K = slope_K * (by.clip / slope_K.norm().clamp(min=by.clip))
    velocity_K = by.momentum * still_K + slope_K
    return Multipliers(u_K - by.rate * velocity_K, velocity_K)


def constrained_advantages(
    rollout: Rollout, multiplier_K: Tensor, kl_weight: float, standardized: bool
) -> Tensor:
    """(K - sum_k l_k) A_KL + sum_k l_k A_k of each response, (B, N).

    Args:
        rollout: scores (B, N, K) of the members, log-ratios.
        multiplier_K: l.
        kl_weight: of the KL reward, reward SDs per nat.
        standardized: whether each advantage gets mean 0 and SD 1 over the batch.

    Reference:
        Confronting Reward Model Overoptimization, https://arxiv.org/abs/2310.04373
    """

    def advantage(reward_BN: Tensor) -> Tensor:
        advantage_BN = leave_one_out(reward_BN)
        if not standardized:
            return advantage_BN
        return standardize(advantage_BN, torch.ones_like(advantage_BN))

    score_BNK = given(rollout.member_reward, "member_rewards")
    near_BN = advantage(-kl_weight * rollout.sampled.log_ratio)
    combined_BN = (len(multiplier_K) - multiplier_K.sum()) * near_BN
    for multiplier, score_BN in zip(multiplier_K, score_BNK.unbind(-1), strict=True):
        combined_BN = combined_BN + multiplier * advantage(score_BN)
    return combined_BN
