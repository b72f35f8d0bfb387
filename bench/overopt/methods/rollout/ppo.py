"""PPO: clipped policy gradient with a value head, generalized advantages and a per-token KL.

Paper: Schulman et al. 2017, "Proximal Policy Optimization Algorithms"
(https://arxiv.org/abs/1707.06347), eqs. 7 and 9, as applied to language models by Ziegler et al.
2019, "Fine-Tuning Language Models from Human Preferences" (https://arxiv.org/abs/1909.08593):
    r_t = -beta (log pi(y_t) - log pi_ref(y_t)) + [t is last] r(x, y)
    L = max(-A_t rho_t, -A_t clip(rho_t, 1 - e, 1 + e)) + c (V(s_t) - A_t - V_old(s_t))^2 / 2
rho_t = pi(y_t) / pi_sampled(y_t); A_t is the generalized advantage estimate (gamma 1), brought to
mean 0 and SD 1 over the tokens of a minibatch; losses are means over response tokens. The value
loss is the larger of the plain one and that of V clipped to V_old +- e_v, as in common code.
Deviations: beta is 0 by default, so that a run walks through KL and is read along its steps. The
value head is one linear map, 0 at first, of the policy's last hidden state; its loss does not
train the policy's other weights, and its learning rate is a multiple of the policy's. There is no
entropy bonus and no adaptive beta. r is in SDs of the initial policy.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import StateShape, Training
from overopt.methods.math.actor_critic import ValueHead, actor_critic_loss, critic_advantages
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("policy_states",)


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


def training(config: Config) -> Training:
    """Inner epochs and minibatches, and the value head's relative learning rate."""
    return Training(config.epochs, config.minibatches, config.value_rate)


def make_module(config: Config, shape: StateShape) -> nn.Module:
    """The value head, 0 everywhere at first."""
    return ValueHead(shape.width)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Generalized advantage estimate of each token, in reward SDs, not yet normalized.

    Args:
        config: beta, reward SDs per nat; gae_lambda.
        rollout: rewards (B, N), log-probabilities (B, N, T) and the value head's outputs.

    Returns:
        Shape (B, N, T), 0 on padding.

    Reference:
        Proximal Policy Optimization Algorithms, eq. 11, https://arxiv.org/abs/1707.06347;
        Fine-Tuning Language Models from Human Preferences, eq. 2,
        https://arxiv.org/abs/1909.08593
    """
    return critic_advantages(rollout, config.beta, config.gae_lambda)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Clipped policy loss and clipped value loss of each response.

    Args:
        config: clip, value_clip, value_weight, normalize.
        step: advantages (B, N, T), log-probabilities and values now, with gradient.

    Returns:
        Shape (B, N), weighted so that its mean is the mean over response tokens.

    Reference:
        Proximal Policy Optimization Algorithms, eqs. 7 and 9, https://arxiv.org/abs/1707.06347
    """
    return actor_critic_loss(
        step, config.clip, config.value_clip, config.value_weight, config.normalize
    )
