"""A method of a user's own that adds values to the initial policy at every token.

Paper: none, 2026. For tests of what learns values: V is the mean reward of what follows a prefix.
Deviations: none.
"""

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.composition import Composition
from overopt.methods.contract.training import Training
from overopt.methods.contract.values import Valued
from overopt.spec.declare import knob, param

FAMILY = "selection"
KNOB = knob("strength", low=0.01, high=30.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of the sum."""

    rate: float = param(10.0, help="learning rate of V over the task's", above=0.0)


def training(config: Config) -> Training:
    """One pass over each batch."""
    return Training(module_rate=config.rate)


def value_targets(config: Config, valued: Valued) -> Tensor:
    """The reward of the whole response, at each of its tokens."""
    return valued.reward_R[:, None] * valued.mask_RT


def value_loss(config: Config, value_RT: Tensor, target_RT: Tensor) -> Tensor:
    """Squared error, so that V is the mean."""
    return (value_RT - target_RT).square()


def compose(config: Config, knob: float) -> Composition:
    """pi_ref exp(strength V) at every token."""
    return Composition(1.0, value=knob)
