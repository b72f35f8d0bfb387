"""RL whose KL penalty is toward a moving average of the policy itself.

Paper: Ramé et al. 2024, "WARP: On the Benefits of Weight Averaged Rewarded Policies"
(https://arxiv.org/abs/2406.16768), the first stage of its algorithm 1 on its own:
    R = r - beta log( pi(y|x)/pi_ema(y|x) )
    theta_ema <- (1 - mu) theta_ema + mu theta     after every step
With mu = 0 the anchor is the initial policy and the optimum pi_ref exp(r/beta)/Z; with mu > 0 it
follows, so that beta slows the walk and does not bound the KL to the initial policy.
Deviations: the paper's reward gradient is REINFORCE's; its baseline here is leave-one-out.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Weights
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("mu", low=0.0001, high=1.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of RL toward an average."""

    mu: float = param(0.01, help="what the average takes in a step", at_least=0.0, at_most=1.0)
    beta: float = param(
        0.1, help="KL penalty toward the average", unit="reward SDs/nat", at_least=0.0
    )


def begin(config: Config, initial: Weights) -> Weights:
    """The average starts at the initial policy."""
    return initial


def after_step(config: Config, memory: Weights, weights: Weights, step: int) -> AfterStep:
    """Move the average, which is the anchor of the next samples.

    Reference:
        WARP, algorithm 1, https://arxiv.org/abs/2406.16768
    """
    average = {name: kept.lerp(weights[name], config.mu) for name, kept in memory.items()}
    return AfterStep(average, anchor=average)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Penalized reward of each response minus the mean of its prompt's others, (B, N).

    Reference:
        WARP, eq. 1, https://arxiv.org/abs/2406.16768
    """
    return leave_one_out(rollout.reward_BN - config.beta * rollout.sampled.anchor_log_ratio)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -A log pi(y|x), in nats."""
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
