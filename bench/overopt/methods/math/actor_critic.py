"""PPO's pieces, shared by the methods that build on it: value head, rewards, advantages, loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import HiddenStates, given
from overopt.methods.math.estimators import generalized_advantages, last_token, standardize
from overopt.methods.math.surrogates import batch_token_mean, clipped_surrogate, token_log_ratio


class ValueHead(nn.Module):
    """Value of each prefix: a linear map of the last hidden state that predicts the next token.

    It is 0 at first. The policy gets no gradient through it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight_D = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, states: HiddenStates) -> Tensor:
        """Values (R, T, 1)."""
        last_RTD = states.before_RTLD[:, :, -1].detach()
        return (last_RTD @ self.weight_D + self.bias).unsqueeze(-1)


def critic_advantages(rollout: Rollout, beta: float, lam: float) -> Tensor:
    """Generalized advantages (B, N, T) under a per-token KL penalty, in reward SDs.

    r_t = -beta (log pi(y_t) - log pi_ref(y_t)) + [t is the last token] r(x, y); discount 1.

    Args:
        rollout: rewards, log-probabilities and the value head's outputs.
        beta: reward SDs per nat.
        lam: decay of the advantage estimate.

    Reference:
        Fine-Tuning Language Models from Human Preferences, eq. 2,
        https://arxiv.org/abs/1909.08593
    """
    sampled = rollout.sampled
    mask_BNT = sampled.mask
    value_BNT = given(sampled.output, "policy_states").squeeze(-1)
    log_ratio_BNT = sampled.policy_logp - sampled.reference_logp
    reward_BNT = rollout.reward_BN.unsqueeze(-1) * last_token(mask_BNT)
    reward_BNT = reward_BNT - beta * log_ratio_BNT * mask_BNT
    return generalized_advantages(reward_BNT, value_BNT, mask_BNT, 1.0, lam)


def actor_critic_loss(
    step: RolloutStep,
    clip: float,
    value_clip: float,
    value_weight: float,
    normalize: bool,
    policy_weight: float = 1.0,
) -> Tensor:
    """Clipped policy loss plus the weighted, clipped value loss of each response.

    The value loss is half the larger of (V - R)^2 and (V_clipped - R)^2, R = A + V_old, where
    V_clipped stays within ``value_clip`` of V_old.

    Args:
        step: advantages (B, N, T), log-probabilities and values now, with gradient.
        clip: largest change of a token's probability ratio.
        value_clip: largest change of a value that counts, reward SDs.
        value_weight: weight of the value loss.
        normalize: whether advantages get mean 0 and SD 1 over the step's tokens.
        policy_weight: weight of the policy loss; with 0 only the value head learns.

    Returns:
        Shape (B, N), weighted so that its mean is the mean over response tokens.

    Reference:
        Proximal Policy Optimization Algorithms, eqs. 7 and 9, https://arxiv.org/abs/1707.06347
    """
    sampled, mask_BNT = step.rollout.sampled, step.rollout.sampled.mask
    advantage_BNT = step.advantage_BNT
    old_BNT = given(sampled.output, "policy_states").squeeze(-1)
    return_BNT = advantage_BNT + old_BNT
    if normalize:
        advantage_BNT = standardize(advantage_BNT, mask_BNT)
    policy_BNT = clipped_surrogate(token_log_ratio(step), advantage_BNT, clip, clip)
    value_BNT = given(step.now.output, "policy_states").squeeze(-1)
    near_BNT = old_BNT + (value_BNT - old_BNT).clamp(-value_clip, value_clip)
    error_BNT = torch.maximum((value_BNT - return_BNT).square(), (near_BNT - return_BNT).square())
    loss_BNT = policy_weight * policy_BNT + 0.5 * value_weight * error_BNT
    return batch_token_mean(loss_BNT, mask_BNT)
