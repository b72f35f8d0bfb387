"""RL whose KL penalty is steered so that the KL stays at a target.

Paper: Ziegler et al. 2019, "Fine-Tuning Language Models from Human Preferences"
(https://arxiv.org/abs/1909.08593), section 2.2:
    R = r - beta log( pi(y|x)/pi_ref(y|x) )
    beta <- beta ( 1 + K clip( KL/target - 1, -.2, .2 ) )     after every rollout, KL on its samples
At rest KL is the target and the policy pi_ref exp(r/beta)/Z for the beta that gives it.
Checked against the paper's K = .1 and descriptions of common code.
Deviations: the gradient is RLOO's instead of PPO's; beta moves before the step on the rollout that
it was measured on; the target's default is that of common code, in nats per response.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Weights
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("target_nats", low=0.1, high=100.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of an adaptive KL penalty."""

    target_nats: float = param(6.0, help="KL to stay at", unit="nats", above=0.0)
    first_beta: float = param(0.1, help="KL penalty at the start", unit="reward SDs/nat", above=0.0)
    rate: float = param(0.1, help="K, how fast the penalty moves", at_least=0.0)
    clip: float = param(0.2, help="largest relative error that counts", above=0.0)


def begin(config: Config, initial: Weights) -> float:
    """beta at the start."""
    return config.first_beta


def observe(config: Config, memory: float, rollout: Rollout) -> float:
    """beta after these samples, whose mean log-ratio is the KL.

    Reference:
        Fine-Tuning Language Models from Human Preferences, https://arxiv.org/abs/1909.08593
    """
    error = rollout.sampled.log_ratio.mean().item() / config.target_nats - 1
    return memory * (1 + config.rate * min(max(error, -config.clip), config.clip))


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Penalized reward of each response minus the mean of its prompt's others, (B, N)."""
    return leave_one_out(rollout.reward_BN - rollout.memory * rollout.sampled.log_ratio)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -A log pi(y|x), in nats."""
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
