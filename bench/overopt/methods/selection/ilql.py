"""Implicit language Q-learning: Q of each next token, learned offline, added to the logits.

Paper: Snell et al. 2022, "Offline RL for Natural Language Generation with Implicit Language Q
Learning" (https://arxiv.org/abs/2206.11871); loss and decoding from the authors' code, equation
numbers not verified. On responses of the policy that stays as it is,
    L = (r + gamma V(s') - Q(s, v))^2
        + |tau - 1[Q~ < V]| (Q~(s, v) - V(s))^2     the expectile tau of Q over the data's tokens
        + alpha (log sum_u exp Q(s, u) - Q(s, v))   conservative: tokens not in the data fall
    pi(v|s) = pi_ref(v|s) exp(beta (Q(s, v) - V(s))) / Z
with r at the last token, V(s') = 0 behind it and without gradient, and Q~ by a copy whose weights
follow. V(s) is the same for all v and cancels. tau = 1/2 and alpha = 0 make Q the mean discounted
reward of what follows; tau -> 1 makes V the best token's. Then, as for vas, one token a response
is the optimum under a KL penalty of 1 / beta, and several tokens are no tilt.
Deviations: one Q, not the smaller of two, and Q itself decodes, not the copy that follows it; heads
are linear on one trunk, a copy of the initial policy. tau and alpha are those of the authors' runs
on comments. The copy follows ten times as fast (.05), because runs are hundreds of steps long.
Steps and batches are the task's for online methods, the data is drawn as they go, and r is in SDs
of the initial policy.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.composition import Composition
from overopt.methods.contract.training import Training
from overopt.methods.contract.values import Critic
from overopt.methods.math.estimators import last_token
from overopt.spec.declare import knob, param

FAMILY = "selection"
KNOB = knob("beta", low=0.01, high=1000.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of implicit language Q-learning."""

    tau: float = param(0.6, help="expectile of Q that V becomes", above=0.0, at_most=1.0)
    alpha: float = param(0.25, help="weight of the conservative term", at_least=0.0)
    gamma: float = param(0.99, help="discount of each token", at_least=0.0, at_most=1.0)
    polyak: float = param(
        0.05, help="part of the way that the copy of Q follows each step", above=0.0, at_most=1.0
    )
    top_k: int = param(
        0, help="likeliest tokens that Q is added to; 0 for all", unit="tokens", at_least=0
    )
    epochs: int = param(2, help="passes over each batch of samples", at_least=1)
    value_rate: float = param(10.0, help="learning rate of Q and V over the task's", above=0.0)


def training(config: Config) -> Training:
    """Passes over each batch, and the heads' relative learning rate."""
    return Training(epochs=config.epochs, module_rate=config.value_rate)


def follow(config: Config) -> float:
    """The part of the way to Q's weights that the copy's go after each step."""
    return config.polyak


def critic_loss(config: Config, critic: Critic) -> Tensor:
    """Error of Q, expectile loss of V and conservative term of each token, (R, T).

    Args:
        config: tau, alpha, gamma.
        critic: Q and V of responses of the initial policy, in SDs of the reward.

    Reference:
        Implicit Language Q Learning, https://arxiv.org/abs/2206.11871; from the authors' code
    """
    reward_RT = critic.reward_R[:, None] * last_token(critic.mask_RT)
    bellman_RT = reward_RT + config.gamma * critic.next_value_RT - critic.q_RT
    gap_RT = critic.slow_q_RT - critic.value_RT
    side_RT = (gap_RT >= 0).to(gap_RT) * (2 * config.tau - 1) + 1 - config.tau
    unlikely_RT = critic.log_sum_q_RT - critic.q_RT
    return bellman_RT.square() + side_RT * gap_RT.square() + config.alpha * unlikely_RT


def compose(config: Config, knob: float) -> Composition:
    """The initial policy's logits and beta times Q, centered.

    Args:
        config: top_k.
        knob: beta, 1 / SDs of the reward; 0 is the initial policy.

    Reference:
        Implicit Language Q Learning, https://arxiv.org/abs/2206.11871; from the authors' code
    """
    return Composition(initial=1.0, value=knob, top_k=config.top_k)
