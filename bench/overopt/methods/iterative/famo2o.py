"""FamO2O, an analogue: advantage-weighted likelihood, each prompt with a coefficient of its own.

Paper: Wang et al. 2023, "Train Once, Get a Family: State-Adaptive Balances for Offline-to-Online
Reinforcement Learning" (https://arxiv.org/abs/2310.17966): a universal policy pi(y|x,b) learns data
with weights min( exp( b (Q - V) ), 100 ) for every b of a range, and a balance model picks b of
each state, so that Q of what pi(.|x,b) does is large; a bonus for its entropy keeps it from one end
of the range. Checked against the authors' code (with IQL, b from 8 to 14 or 1 to 5).
Deviations: no network reads b. Learned from enough data of the initial policy, the member b is
known up to a factor, pi_ref exp( b r )/Z, so that the balance needs none: over an even grid of b it
is the code's optimum p(b|x) ~ exp( J(x,b)/a ), J(x,b) the mean reward of that member by weights
over the prompt's samples, and the policy is trained at its mean b(x) alone; a is fixed, where the
code tunes it to an entropy. Since J rises with b here, a -> 0 takes the top of the range
everywhere, and a -> infinity its middle. R is the proxy's score of the whole response and V a value
of prefixes learned by squares, where IQL has an expectile of Q. Data stay those of the initial
policy: no online phase. With one b it is phf-awr at the temperature 1/b (but for where weights are
cut); for each prompt the optimum is pi_data exp( b(x) r )/Z.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import StateShape, Training, given
from overopt.methods.math.actor_critic import ValueHead
from overopt.methods.math.weighted_regression import advantage_weighted
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("highest", low=0.03, high=10.0, raises_kl=True)
USES_GOLD = "none"
INPUTS = ("policy_states", "reference_samples")


@dataclass(frozen=True)
class Config:
    """Settings of FamO2O."""

    highest: float = param(1.0, help="largest coefficient of an advantage", unit="1/SDs", above=0.0)
    lowest_share: float = param(
        0.2, help="smallest coefficient over the largest", above=0.0, at_most=1.0
    )
    levels: int = param(9, help="coefficients of the grid", at_least=1)
    entropy: float = param(
        0.1, help="a, weight of the balance's entropy", unit="reward SDs", above=0.0
    )
    policy_share: float = param(
        0.5, help="weight of the policy's loss beside the value's", at_least=0.0, at_most=1.0
    )
    largest_weight: float = param(100.0, help="at which weights are cut", above=0.0)
    value_rate: float = param(10.0, help="value head's learning rate over the policy's", above=0.0)


def training(config: Config) -> Training:
    """The value head's relative learning rate."""
    return Training(module_rate=config.value_rate)


def make_module(config: Config, shape: StateShape) -> nn.Module:
    """The value head, 0 everywhere at first."""
    return ValueHead(shape.width)


def build(config: Config, rollout: Rollout) -> KeptRows:
    """All of the initial policy's samples, with their rewards and their prompt's coefficient.

    Args:
        config: highest, lowest_share, levels, entropy.
        rollout: rewards of the initial policy's samples, (B, N), in SDs.

    Returns:
        Their rows, shape (B N,), the rewards, and for labels the coefficients, 1/SDs.

    Reference:
        Train Once, Get a Family, https://arxiv.org/abs/2310.17966
    """
    reward_BN = given(rollout.opponents, "reference_samples").reward_BN
    lowest = config.lowest_share * config.highest
    coefficient_K = torch.linspace(lowest, config.highest, config.levels).to(reward_BN)
    tilt_BKN = torch.softmax(coefficient_K[:, None] * reward_BN[:, None, :], -1)
    value_BK = (tilt_BKN * reward_BN[:, None, :]).sum(-1)
    balance_BK = torch.softmax(value_BK / config.entropy, -1)
    chosen_B1 = (balance_BK * coefficient_K).sum(-1, keepdim=True)
    label_K = chosen_B1.expand_as(reward_BN).flatten()
    return KeptRows(rollout.opponent_row_BM.flatten(), reward_BN.flatten(), label_K=label_K)


def loss(config: Config, batch: Reading) -> Tensor:
    """Weighted likelihood and squared error of the value, summed over tokens, shape (B,).

    Args:
        config: policy_share, largest_weight.
        batch: log-probabilities (B, T), values (B, T, 1), rewards (B,) and coefficients (B,).

    Reference:
        Train Once, Get a Family, https://arxiv.org/abs/2310.17966
    """
    temperature_B1 = 1 / given(batch.label, "label_K of build")[:, None]
    return advantage_weighted(batch, temperature_B1, config.policy_share, config.largest_weight)
