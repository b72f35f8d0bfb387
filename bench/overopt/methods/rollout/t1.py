"""T1: RLOO that explores: hot samples, an entropy bonus, and an anchor that moves.

Paper: Hou et al. 2025, "T1: Advancing Language Model Reasoning through Reinforcement Learning and
Inference Scaling" (https://arxiv.org/abs/2501.11651): RLOO on many samples per prompt (64), drawn
at a temperature of about 1.2, with an entropy bonus and a KL penalty toward a moving average,
    R = r - beta log( pi(y|x)/pi_ema(y|x) ) - a log pi(y|x)
    theta_ema <- (1 - mu) theta_ema + mu theta     after every step
With mu = 0 the optimum is proportional to ( pi_ref^beta exp(r) )^(1/(beta + a)).
Known from abstract and reviews: the parts and temperature; the equations (2 to 4) and the values of
beta, a and mu were not read.
Deviations: the bonus is the score-function form of the entropy of whole responses, where the paper
adds token entropies to the loss; gradient, penalty and bonus are of the policy at temperature 1, so
that hot samples bias them; the number of samples is the task's; no penalty on repetitive text.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Weights
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.methods.math.responses import log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of T1."""

    beta: float = param(
        0.05, help="KL penalty toward the average", unit="reward SDs/nat", at_least=0.0
    )
    entropy_weight: float = param(
        0.01, help="a, weight of the entropy", unit="reward SDs/nat", at_least=0.0
    )
    mu: float = param(0.01, help="what the average takes in a step", at_least=0.0, at_most=1.0)
    sampling_temperature: float = param(1.2, help="at which samples are drawn", above=0.0)


def temperature(config: Config, memory: Weights) -> float:
    """Temperature of the samples."""
    return config.sampling_temperature


def begin(config: Config, initial: Weights) -> Weights:
    """The average starts at the initial policy."""
    return initial


def after_step(config: Config, memory: Weights, weights: Weights, step: int) -> AfterStep:
    """Move the average, which is the anchor of the next samples."""
    average = {name: kept.lerp(weights[name], config.mu) for name, kept in memory.items()}
    return AfterStep(average, anchor=average)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """The rewards themselves, (B, N): penalty and bonus need the policy at temperature 1."""
    return rollout.reward_BN


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N), its reward with penalty and bonus, in nats.

    Args:
        config: beta, entropy_weight.
        step: rewards (B, N), and the responses as policy and anchor read them now, (B, N, T).

    Reference:
        T1, https://arxiv.org/abs/2501.11651
    """
    still = step.now.map(Tensor.detach)
    penalty_BN = config.beta * still.anchor_log_ratio
    bonus_BN = -config.entropy_weight * log_likelihood(still)
    advantage_BN = leave_one_out(step.advantage - penalty_BN + bonus_BN)
    return reinforce(advantage_BN, step.now.policy_logp, step.now.mask)
