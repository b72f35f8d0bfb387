"""WARP: several RL runs under a moving anchor, merged on the sphere, then drawn back to the start.

Paper: Ramé et al. 2024, "WARP: On the Benefits of Weight Averaged Rewarded Policies"
(https://arxiv.org/abs/2406.16768):
    1. each of M runs maximizes r - beta log(pi / pi_ema), ema <- (1 - mu) ema + mu theta
    2. their task vectors d_m = theta_m - theta_init are merged layer by layer by SLERP,
       d = sin((1 - l) W) / sin W d_1 + sin(l W) / sin W d_2,   W the angle between d_1 and d_2
    3. LITI: theta = (1 - eta) theta_init + eta (theta_init + d)
Sweeping eta from 0 to 1 traces a front from one training. Of I iterations (algorithm 1) each begins
at theta_init <- (1 - eta) theta_init + eta (theta_init + d) of the one before, eta = ``between``,
anchor included; the front of the last is drawn toward the initial policy of the task,
theta = (1 - eta) theta_sft + eta theta_I. Equation numbers were not verified.
Deviations: one iteration unless more are asked for, all of as many steps, where the paper's get
shorter. Layer by layer means parameter by parameter. More than two members are merged one after the
other, the m-th with l = 1 / m (the paper's own generalization was not verified). The runs are
REINFORCE with a leave-one-out baseline. They end at the last KL budget, so that the front reaches
as far as the task asks, unless steps are given, as in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Weights
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.spec.declare import knob, param

FAMILY = "merge"
MEMBER_FAMILY = "rollout"
KNOB = knob("eta", low=0.01, high=1.0, raises_kl=True)
USES_GOLD = "none"
MERGING = ("share", "path", "steps", "iterations", "between")

PARALLEL = 1e-6


@dataclass(frozen=True)
class Config:
    """Settings of WARP."""

    members: int = param(2, help="M, policies that are trained and merged", at_least=2)
    beta: float = param(0.1, help="KL penalty to the anchor", unit="reward SDs/nat", at_least=0.0)
    mu: float = param(0.01, help="anchor's share of the new policy", above=0.0, at_most=1.0)
    steps: int = param(
        0, help="gradient steps of each run; 0: until the last KL budget", at_least=0, later=True
    )
    share: float = param(
        0.5, help="l, share of the second of the members", at_least=0.0, at_most=1.0, later=True
    )
    path: str = param(
        "slerp", help="arc or straight line of task vectors", one_of=("slerp", "lerp"), later=True
    )
    iterations: int = param(
        1, help="I, how often policies are trained and merged", at_least=1, later=True
    )
    between: float = param(
        0.3, help="eta from one iteration to the next", above=0.0, at_most=1.0, later=True
    )


def begin(config: Config, initial: Weights) -> Weights:
    """The anchor starts at the initial policy."""
    return initial


def after_step(config: Config, memory: Weights, weights: Weights, step: int) -> AfterStep:
    """theta_ema <- (1 - mu) theta_ema + mu theta, which becomes the anchor.

    Args:
        config: mu.
        memory: theta_ema.
        weights: theta, after the step.
        step: unused.

    Reference:
        WARP, stage 1, https://arxiv.org/abs/2406.16768
    """
    average = {name: torch.lerp(kept, weights[name], config.mu) for name, kept in memory.items()}
    return AfterStep(average, anchor=average)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Reward less the penalty to the anchor, minus the mean of the prompt's others, (B, N).

    Args:
        config: beta, reward SDs per nat.
        rollout: rewards and log-probabilities, the anchor's among them.
    """
    return leave_one_out(rollout.reward_BN - config.beta * rollout.sampled.anchor_log_ratio)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, -A log pi(y|x), (B, N)."""
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)


def slerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Spherical interpolation of two task vectors; ``share`` is the second one's, 0 to 1.

    Where the angle is 0 or pi to 1e-6 there is no unique arc, and the straight line is taken.

    Reference:
        WARP, stage 2, https://arxiv.org/abs/2406.16768
    """
    norms = (first.double().norm() * second.double().norm()).clamp(min=torch.finfo().tiny)
    cosine = ((first.double() * second.double()).sum() / norms).clamp(-1.0, 1.0)
    angle = torch.arccos(cosine)
    sine = torch.sin(angle)
    if sine < PARALLEL:
        return torch.lerp(first, second, share)
    left, right = torch.sin((1 - share) * angle) / sine, torch.sin(share * angle) / sine
    return left.to(first) * first + right.to(first) * second


def merge(config: Config, initial: Weights, trained: Sequence[Weights], knob: float) -> Weights:
    """SLERP (or LERP) of the members' task vectors, then LITI at eta = ``knob``.

    Args:
        config: share, path.
        initial: theta_init.
        trained: theta of each member.
        knob: eta, 0 (the initial policy) to 1 (the merged one).

    Returns:
        Weights of the merged policy.

    Reference:
        WARP, stages 2 and 3, https://arxiv.org/abs/2406.16768
    """
    between = torch.lerp if config.path == "lerp" else slerp
    merged: dict[str, Tensor] = {}
    for name, start in initial.items():
        vector = trained[0][name] - start
        for count, member in enumerate(trained[1:], start=2):
            share = config.share if count == 2 else 1 / count
            vector = between(vector, member[name] - start, share)
        merged[name] = start + knob * vector
    return merged


def draw_back(config: Config, initial: Weights, merged: Weights, knob: float) -> Weights:
    """LITI of the last of several iterations: (1 - eta) theta_sft + eta theta_I, eta = ``knob``.

    Reference:
        WARP, algorithm 1, https://arxiv.org/abs/2406.16768
    """
    return {name: torch.lerp(start, merged[name], knob) for name, start in initial.items()}
