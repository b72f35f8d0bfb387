"""PHF AWR: learn data by likelihood, each token as heavily as the exponential of its advantage.

Paper: Korbak et al. 2023, "Pretraining Language Models with Human Preferences"
(https://arxiv.org/abs/2302.08582), its objective of advantage-weighted regression, after Peng et
al. 2019 (https://arxiv.org/abs/1910.00177), with a learned value V of prefixes:
    L = sum_t -a min( exp( A_t/beta ), w_max ) log pi(y_t) + (1 - a) (R - V_t)^2,   A_t = R - V_t
Since V_t knows the prefix only, the optimum is the tilt of the data, pi_data exp( R/beta )/Z, as
long as no weight is cut. Checked against the authors' code (a .5, w_max 1000) and this optimum.
Deviations: the corpus is fresh samples of the initial policy, which models it, and R is the score
of the whole response, where the paper scores sentences. Sums stand for means over tokens. V is a
linear map, 0 at first, of the policy's last hidden state, which its loss does not train; it has its
own learning rate. Training starts from the initial policy, not from nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import StateShape, Training, given
from overopt.methods.math.actor_critic import ValueHead
from overopt.methods.math.weighted_regression import advantage_weighted
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("temperature", low=0.1, high=30.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("policy_states", "reference_samples")


@dataclass(frozen=True)
class Config:
    """Settings of advantage-weighted regression."""

    temperature: float = param(1.0, help="beta, which divides advantages", unit="SDs", above=0.0)
    policy_share: float = param(
        0.5, help="a, weight of the policy's loss beside the value's", at_least=0.0, at_most=1.0
    )
    largest_weight: float = param(1000.0, help="w_max, at which weights are cut", above=0.0)
    value_rate: float = param(10.0, help="value head's learning rate over the policy's", above=0.0)


def training(config: Config) -> Training:
    """The value head's relative learning rate."""
    return Training(module_rate=config.value_rate)


def make_module(config: Config, shape: StateShape) -> nn.Module:
    """The value head, 0 everywhere at first."""
    return ValueHead(shape.width)


def build(config: Config, rollout: Rollout) -> KeptRows:
    """All of the initial policy's samples, with their rewards.

    Args:
        config: unused here.
        rollout: rewards of the initial policy's samples, (B, N), in SDs.

    Returns:
        Their rows, shape (B N,), and the rewards.

    Reference:
        Pretraining Language Models with Human Preferences, https://arxiv.org/abs/2302.08582
    """
    data = given(rollout.opponents, "reference_samples")
    return KeptRows(rollout.opponent_row_BM.flatten(), data.reward_BN.flatten())


def loss(config: Config, batch: Reading) -> Tensor:
    """Weighted likelihood and squared error of the value, summed over tokens, shape (B,).

    Args:
        config: temperature, policy_share, largest_weight.
        batch: log-probabilities (B, T), values (B, T, 1) and rewards (B,).

    Reference:
        Pretraining Language Models with Human Preferences, https://arxiv.org/abs/2302.08582
    """
    return advantage_weighted(batch, config.temperature, config.policy_share, config.largest_weight)
