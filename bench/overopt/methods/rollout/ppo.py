"""PPO: clipped policy gradient with a value head, generalized advantages and a per-token KL.

Paper: Schulman et al. 2017, "Proximal Policy Optimization Algorithms"
(https://arxiv.org/abs/1707.06347), eqs. 7 and 9, as applied to language models by Ziegler et al.
2019, "Fine-Tuning Language Models from Human Preferences" (https://arxiv.org/abs/1909.08593):
    r_t = -beta (log pi(y_t) - log pi_ref(y_t)) + [t is last] r(x, y)
    L = max(-A_t rho_t, -A_t clip(rho_t, 1 - e, 1 + e)) + c (V(s_t) - A_t - V_old(s_t))^2 / 2
rho_t = pi(y_t) / pi_sampled(y_t); A_t is the generalized advantage estimate (gamma 1), brought to
mean 0 and SD 1 over the tokens of a minibatch; losses are means over response tokens. The value
loss is the larger of the plain one and that of V clipped to V_old +- e_v, as in common code.
Options, off by default, out of Zheng et al. 2023, "Secrets of RLHF in Large Language Models Part I:
PPO" (https://arxiv.org/abs/2307.04964; its released code read, which can normalize and clip, but
has no pre-training): r by the mean and SD of all rewards so far, the rollout's own included;
then r clipped; first rollouts of which the critic alone learns. They take the native engine.
Deviations: beta is 0 by default, so that a run walks through KL and is read along its steps. The
value head is one linear map, 0 at first, of the policy's last hidden state; its loss does not
train the policy's other weights, and its learning rate is a multiple of the policy's. There is no
entropy bonus and no adaptive beta. r is in SDs of the initial policy. Pre-training is on samples
that the policy does not learn from, and its steps count in Adam's moments and in the warm-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import StateShape, Training, Weights
from overopt.methods.math.actor_critic import ValueHead, actor_critic_loss, critic_advantages
from overopt.methods.math.running import Moments
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("policy_states",)
OBSERVES_FOR = ("normalize_reward", "critic_rollouts")


@dataclass(frozen=True)
class Config:
    """Settings of PPO."""

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
    normalize: bool = param(True, help="advantages with mean 0 and SD 1 over a minibatch")
    epochs: int = param(4, help="passes over the samples of one rollout", at_least=1)
    minibatches: int = param(1, help="gradient steps in each pass", at_least=1)
    normalize_reward: bool = param(
        False, help="rewards by the mean and SD of all rewards so far", later=True
    )
    reward_clip: float = param(
        0.0, help="largest reward that counts, after that; 0: any", at_least=0.0, later=True
    )
    critic_rollouts: int = param(
        0, help="first rollouts of which only the value head learns", at_least=0, later=True
    )


class Memory(NamedTuple):
    """What the options need: the moments of all rewards so far, and how many rollouts there were.

    It follows them only where an option asks for it.
    """

    moments: Moments = Moments()
    rollouts: int = 0


def begin(config: Config, initial: Weights) -> Memory:
    """No rewards yet."""
    return Memory()


def observe(config: Config, memory: Memory, rollout: Rollout) -> Memory:
    """Count the rollout and its rewards."""
    return Memory(memory.moments.seen(rollout.reward_BN), memory.rollouts + 1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches, and the value head's relative learning rate."""
    return Training(config.epochs, config.minibatches, config.value_rate)


def make_module(config: Config, shape: StateShape) -> nn.Module:
    """The value head, 0 everywhere at first."""
    return ValueHead(shape.width)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Generalized advantage estimate of each token, in reward SDs, not yet normalized.

    Args:
        config: beta, reward SDs per nat; gae_lambda, normalize_reward, reward_clip.
        rollout: rewards (B, N), log-probabilities (B, N, T) and the value head's outputs.

    Returns:
        Shape (B, N, T), 0 on padding.

    Reference:
        Proximal Policy Optimization Algorithms, eq. 11, https://arxiv.org/abs/1707.06347;
        Fine-Tuning Language Models from Human Preferences, eq. 2,
        https://arxiv.org/abs/1909.08593
    """
    reward_BN = rollout.reward_BN
    if config.normalize_reward:
        reward_BN = rollout.memory.moments.standardized(reward_BN)
    if config.reward_clip:
        reward_BN = reward_BN.clamp(-config.reward_clip, config.reward_clip)
    seen = rollout._replace(reward_BN=reward_BN)
    return critic_advantages(seen, config.beta, config.gae_lambda)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Clipped policy loss and clipped value loss of each response.

    Args:
        config: clip, value_clip, value_weight, normalize, critic_rollouts.
        step: advantages (B, N, T), log-probabilities and values now, with gradient.

    Returns:
        Shape (B, N), weighted so that its mean is the mean over response tokens.

    Reference:
        Proximal Policy Optimization Algorithms, eqs. 7 and 9, https://arxiv.org/abs/1707.06347
    """
    critic_only = bool(config.critic_rollouts) and (
        step.rollout.memory.rollouts <= config.critic_rollouts
    )
    return actor_critic_loss(
        step,
        config.clip,
        config.value_clip,
        config.value_weight,
        config.normalize,
        policy_weight=0.0 if critic_only else 1.0,
    )
