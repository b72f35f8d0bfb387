"""Elastic Reset: PPO whose policy is put back, now and then, to a lagging average of itself.

Paper: Noukhovitch et al. 2023, "Language Model Alignment with Elastic Reset"
(https://arxiv.org/abs/2312.07551), algorithm 1:
    every step:    ema <- d ema + (1 - d) theta
    every T steps: theta <- ema, then ema <- theta_0;  the optimizer and the value head are kept
Base: PPO as in Schulman et al. 2017 and Ziegler et al. 2019 (see the method ``ppo``): clipped
ratios, generalized advantages, per-token KL inside the reward.
Checked against the authors' released code: d = 0.995 there, no bias correction, and the average
covers the language model without its value head. The algorithm's number was not verified.
Deviations: T counts gradient steps, not epochs of the data; the default of 48 is four resets in a
run of 200 steps. beta is 0 by default, where the paper keeps a small penalty. The value head does
not train the policy's other weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, StateShape, Training, Weights
from overopt.methods.math.actor_critic import ValueHead, actor_critic_loss, critic_advantages
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("reset_steps", low=4.0, high=1024.0, raises_kl=True)
USES_GOLD = "none"
INPUTS = ("policy_states",)


@dataclass(frozen=True)
class Config:
    """Settings of Elastic Reset."""

    reset_steps: int = param(48, help="T, from one reset to the next", unit="steps", at_least=1)
    decay: float = param(
        0.995, help="d, what the average keeps in a step", at_least=0.0, at_most=1.0
    )
    beta: float = param(
        0.0, help="per-token KL penalty inside the reward", unit="reward SDs/nat", at_least=0.0
    )
    clip: float = param(0.2, help="largest change of a token's probability ratio", above=0.0)
    value_clip: float = param(
        0.2, help="largest change of a value that counts", unit="reward SDs", above=0.0
    )
    value_weight: float = param(0.1, help="weight of the value loss", at_least=0.0)
    value_rate: float = param(10.0, help="value head's learning rate over the policy's", above=0.0)
    gae_lambda: float = param(
        0.95, help="decay of the advantage estimate", at_least=0.0, at_most=1.0
    )
    epochs: int = param(4, help="passes over the samples of one rollout", at_least=1)


class Memory(NamedTuple):
    """The running average, and where it starts again after a reset."""

    average: Weights
    initial: Weights


def training(config: Config) -> Training:
    """Inner epochs, and the value head's relative learning rate."""
    return Training(config.epochs, 1, config.value_rate)


def begin(config: Config, initial: Weights) -> Memory:
    """The average starts at the initial policy."""
    return Memory(initial, initial)


def after_step(config: Config, memory: Memory, weights: Weights, step: int) -> AfterStep:
    """Move the average; at every T-th step put the policy there and the average to its start.

    Args:
        config: decay d and T in gradient steps.
        memory: the average so far.
        weights: the policy's, after the step.
        step: gradient steps taken.

    Reference:
        Language Model Alignment with Elastic Reset, algorithm 1, https://arxiv.org/abs/2312.07551
    """
    average = {
        name: torch.lerp(kept, weights[name], 1 - config.decay)
        for name, kept in memory.average.items()
    }
    if step % config.reset_steps:
        return AfterStep(Memory(average, memory.initial))
    return AfterStep(Memory(memory.initial, memory.initial), weights=average)


def make_module(config: Config, shape: StateShape) -> nn.Module:
    """The value head, 0 everywhere at first."""
    return ValueHead(shape.width)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Generalized advantage estimate of each token, (B, N, T), in reward SDs.

    Args:
        config: beta, reward SDs per nat; gae_lambda.
        rollout: rewards (B, N), log-probabilities (B, N, T) and the value head's outputs.
    """
    return critic_advantages(rollout, config.beta, config.gae_lambda)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """PPO's clipped policy loss with normalized advantages, and the value head's squared error.

    Args:
        config: clip, value_clip, value_weight.
        step: advantages (B, N, T), log-probabilities and values now, with gradient.

    Returns:
        Shape (B, N), weighted so that its mean is the mean over response tokens.
    """
    return actor_critic_loss(
        step, config.clip, config.value_clip, config.value_weight, normalize=True
    )
