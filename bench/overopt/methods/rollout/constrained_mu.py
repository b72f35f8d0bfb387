"""Constrained RL (mu-PPO): stay near the initial policy while every reward model is satisfied.

Paper: Moskovitz et al. 2023, "Confronting Reward Model Overoptimization with Constrained RLHF"
(https://arxiv.org/abs/2310.04373): the objective is the KL reward -log(pi/pi_ref); each of the K
component rewards has a threshold theta, and its multiplier lambda_k = sigmoid(u_k) pushes it up to
there, and no further:
    A = (K - sum_k lambda_k) A_KL + sum_k lambda_k A_k
    u descends sum_k lambda_k (J_k - theta)        J_k: mean component reward of the batch
so that lambda_k falls while J_k is above its threshold (equation numbers not verified).
Checked against the authors' code: the combination, sigmoid multipliers, their SGD (rate .1,
momentum .1, gradient norm clipped at .5), advantages standardized one by one.
Deviations: baselines are leave-one-out instead of a value head for each component, and the step is
REINFORCE on fresh samples; u starts at 0 instead of near it; the components are the members of the
proxy, each in SDs of the initial policy, so that one theta serves all unless ``shares`` says
otherwise; thresholds are given, where the paper looks for the peak of the gold reward. u takes one
step per rollout, before the policy's on it, and in the code one in every minibatch of every epoch,
after the policy's, so that the same rate is a slower clock here; advantages are standardized over
the whole rollout, there over a minibatch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Weights, given
from overopt.methods.math.constraints import (
    Multipliers,
    MultiplierStep,
    constrained_advantages,
    mean_scores,
    moved,
    thresholds,
)
from overopt.methods.math.estimators import reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("theta", low=0.05, high=5.0, raises_kl=True)
USES_GOLD = "none"
INPUTS = ("member_rewards",)


@dataclass(frozen=True)
class Config:
    """Settings of constrained RL."""

    theta: float = param(1.0, help="threshold of a member's score, see shares", unit="reward SDs")
    shares: str = param(
        "",
        help="each member's threshold in theta, separated by commas such as 1,0.5; 1 if empty",
        later=True,
    )
    kl_weight: float = param(
        0.2, help="weight of the KL reward, where advantages are not standardized", above=0.0
    )
    standardized: bool = param(True, help="give each advantage mean 0 and SD 1 over the batch")
    multiplier_rate: float = param(0.1, help="step size of the multipliers", at_least=0.0)
    momentum: float = param(0.1, help="of the multipliers' steps", at_least=0.0, at_most=1.0)
    clip: float = param(0.5, help="largest norm of the multipliers' gradient", above=0.0)


def begin(config: Config, initial: Weights) -> Multipliers:
    """No multipliers yet."""
    return Multipliers()


def observe(config: Config, memory: Multipliers, rollout: Rollout) -> Multipliers:
    """Move the multipliers by the batch's mean scores.

    Args:
        config: theta, shares, multiplier_rate, momentum, clip.
        memory: u so far.
        rollout: scores (B, N, K) of the members.

    Reference:
        Confronting Reward Model Overoptimization, https://arxiv.org/abs/2310.04373
    """
    mean_K = mean_scores(rollout)
    threshold_K = thresholds(config.theta, config.shares, mean_K)
    multiplier_K = torch.sigmoid(torch.zeros_like(mean_K) if memory.u is None else memory.u)
    slope_K = multiplier_K * (1 - multiplier_K) * (mean_K - threshold_K)
    by = MultiplierStep(config.multiplier_rate, config.momentum, config.clip)
    return moved(memory, slope_K, by)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Advantages of the KL reward and of each component, weighted by the multipliers, (B, N).

    Args:
        config: kl_weight, standardized.
        rollout: scores (B, N, K), log-ratios, and the multipliers in its memory.

    Reference:
        Confronting Reward Model Overoptimization, https://arxiv.org/abs/2310.04373
    """
    multiplier_K = torch.sigmoid(given(rollout.memory.u, "a multiplier"))
    return constrained_advantages(rollout, multiplier_K, config.kl_weight, config.standardized)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -A log pi(y|x), in nats."""
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
