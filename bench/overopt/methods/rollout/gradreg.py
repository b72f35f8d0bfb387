"""Gradient regularization: RL that descends its gradient's norm too, in place of a KL penalty.

Paper: Ackermann, Noukhovitch et al. 2026, "Gradient Regularization Prevents Reward Hacking in
Reinforcement Learning from Human Feedback and Verifiable Rewards"
(https://arxiv.org/abs/2602.18037): descend L + (lambda/2) |grad L|^2, whose gradient is taken by a
finite difference,
    g1 + lambda |g1| ( g(theta + e g1/|g1|) - g1 )/e,
to prefer flat regions, where the proxy is thought to be right. Checked against the abstract and the
released code (lambda .01, e .001); the text, with its equations, was not read.
Both gradients are of the same samples with the same advantages, drawn at theta. What is descended
is -A rho, rho the ratio of the whole response to the policy that sampled: at theta its gradient is
that of -A log pi, and beside it rho makes it that of L = -E[r] on average, where -A log pi would
leave out how the samples' chances change (of a softmax over whole responses that is all there is).
Deviations: the code's probe is e g1, not of unit length; L is RLOO's loss without a penalty, where
the code has GRPO's with ratios by tokens; the norm and the probe are of all of the policy's
weights, where the code leaves the embeddings out; it also clips both gradients to a norm of 10
before they are used.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Weights
from overopt.methods.math.estimators import leave_one_out
from overopt.methods.math.surrogates import response_log_ratio
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("penalty", low=0.0001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of gradient regularization."""

    penalty: float = param(0.01, help="lambda, weight of the squared gradient norm", at_least=0.0)
    probe: float = param(
        0.001, help="e, how far away the gradient is taken a second time", above=0.0
    )


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Reward of each response minus the mean of its prompt's others, reward SDs, (B, N).

    Reference:
        Back to Basics, section on RLOO, https://arxiv.org/abs/2402.14740
    """
    return leave_one_out(rollout.reward_BN)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """-A rho of each response, (B, N), reward SDs; rho: pi(y|x) over what it was when drawn.

    Its mean over samples has the gradient of -E[r] at theta and everywhere near it.

    Reference:
        Back to Basics, section on RLOO, https://arxiv.org/abs/2402.14740
    """
    return -step.advantage * response_log_ratio(step).exp()


def perturb(config: Config, gradient: Weights) -> Weights:
    """e g / |g|: a step of length e up the gradient; none where the gradient is 0.

    Reference:
        Gradient regularization, finite difference, https://arxiv.org/abs/2602.18037
    """
    scale = config.probe / norm(gradient).clamp(min=torch.finfo(torch.float32).tiny)
    return {name: scale * value for name, value in gradient.items()}


def correct(config: Config, first: Weights, second: Weights) -> Weights:
    """g1 + lambda |g1| (g2 - g1)/e: the gradient of L + (lambda/2) |grad L|^2.

    Reference:
        Gradient regularization, finite difference, https://arxiv.org/abs/2602.18037
    """
    scale = config.penalty * norm(first) / config.probe
    return {name: value + scale * (second[name] - value) for name, value in first.items()}


def norm(gradient: Weights) -> Tensor:
    """Euclidean norm over all weights."""
    return torch.stack([value.square().sum() for value in gradient.values()]).sum().sqrt()
