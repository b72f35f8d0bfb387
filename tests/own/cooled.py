"""A method of a user's own that samples ever cooler, and compares with the likeliest response.

Paper: none, 2026. For tests of temperatures and of greedy opponents.
Deviations: none.
"""

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Weights, given
from overopt.methods.math.estimators import reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("greedy_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of the cooling."""

    beta: float = param(0.0, help="price of a nat in the reward", at_least=0.0)
    start: float = param(1.5, help="temperature of the first samples", above=0.0)
    steps: int = param(10, help="gradient steps until it is 1", at_least=1)


def begin(config: Config, initial: Weights) -> int:
    """No step was taken."""
    return 0


def after_step(config: Config, memory: int, weights: Weights, step: int) -> AfterStep:
    """Count the steps."""
    return AfterStep(step)


def temperature(config: Config, memory: int) -> float:
    """From the start down to 1, evenly."""
    return 1.0 + (config.start - 1.0) * max(0.0, 1.0 - memory / config.steps)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Reward beyond that of the likeliest response, less a price of what was said against it."""
    likeliest_B1 = given(rollout.opponents, "an opponent").reward_BN
    return rollout.reward_BN - likeliest_B1 - config.beta * rollout.sampled.log_ratio


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE."""
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
