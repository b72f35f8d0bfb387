"""Returns of rewards that are paid on the way: step scores of a process reward model."""

from __future__ import annotations

import torch
from torch import Tensor

from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.methods.math.estimators import leave_one_out


def step_chance(rollout: Rollout) -> tuple[Tensor, Tensor]:
    """Chance that each step is right at its last token, else 0, and where these are, (B, N, T)."""
    end_BNT = given(rollout.step_end, "step_rewards")
    return torch.sigmoid(rollout.step_reward_BNT) * end_BNT, end_BNT


def less_the_next(score_BNT: Tensor, end_BNT: Tensor) -> Tensor:
    """Score of each step less that of the step after it; the last one keeps its own.

    Args:
        score_BNT: score of each step at its last token.
        end_BNT: where these are.
    """
    following_BN = torch.zeros_like(score_BNT[..., 0])
    gain_BNT = torch.zeros_like(score_BNT)
    for token in reversed(range(score_BNT.shape[-1])):
        here_BN, ends_BN = score_BNT[..., token], end_BNT[..., token].bool()
        gain_BNT[..., token] = torch.where(ends_BN, here_BN - following_BN, 0.0)
        following_BN = torch.where(ends_BN, here_BN, following_BN)
    return gain_BNT


def more_than_the_last(score_BNT: Tensor, end_BNT: Tensor) -> Tensor:
    """Score of each step less that of the step before it; the first one keeps its own."""
    preceding_BN = torch.zeros_like(score_BNT[..., 0])
    gain_BNT = torch.zeros_like(score_BNT)
    for token in range(score_BNT.shape[-1]):
        here_BN, ends_BN = score_BNT[..., token], end_BNT[..., token].bool()
        gain_BNT[..., token] = torch.where(ends_BN, here_BN - preceding_BN, 0.0)
        preceding_BN = torch.where(ends_BN, here_BN, preceding_BN)
    return gain_BNT


def returns_to_go(reward_BNT: Tensor) -> Tensor:
    """Sum of the rewards from each token on, (B, N, T)."""
    return reward_BNT.flip(-1).cumsum(-1).flip(-1)


def step_advantages(
    outcome_BN: Tensor, reward_BNT: Tensor, weight: float, mask_BNT: Tensor
) -> Tensor:
    """Advantage of each token: outcome plus weighted return-to-go, each less the other samples'.

    Args:
        outcome_BN: reward of each whole response.
        reward_BNT: rewards on the way.
        weight: of these.
        mask_BNT: 1 on response tokens.

    Returns:
        Shape (B, N, T), 0 on padding. A sample's baseline at a token is the mean return of the
        prompt's others from the same position on.
    """
    to_go_BTN = returns_to_go(reward_BNT).transpose(1, 2)
    on_the_way_BNT = leave_one_out(to_go_BTN).transpose(1, 2)
    return (leave_one_out(outcome_BN).unsqueeze(-1) + weight * on_the_way_BNT) * mask_BNT


def token_reinforce(advantage_BNT: Tensor, logp_BNT: Tensor, mask_BNT: Tensor) -> Tensor:
    """-sum_t A_t log pi(y_t) of each response, nats, (B, N)."""
    return -(advantage_BNT * logp_BNT * mask_BNT).sum(-1)
