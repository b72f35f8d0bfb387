"""Nash-EMA: policy gradient on the chance to beat a running average of the policy's weights.

Paper: Munos et al. 2023, "Nash Learning from Human Feedback" (https://arxiv.org/abs/2312.00886),
its Nash-EMA-PG: y is drawn from the policy, y' from the policy of the averaged weights
    average <- d average + (1 - d) theta
after every step, and the policy ascends
    grad log pi(y|x) ( P(y beats y') - 1/2 - tau log( pi(y|x)/pi_ref(y|x) ) )
(equation numbers not verified; the paper's value of d was not found). A policy at rest is its own
average, so that it rests at pi_ref exp( P pi / tau )/Z, the Nash policy of the game under a KL
penalty tau. Checked against that policy on a cycle of preferences; d = 0 is self-play, and d = 1
the best response to the initial policy.
Deviations: each sample plays as many samples of the average as the task draws. With a proxy that
scores single responses P is sigmoid(r - r'), which is transitive: RL on win rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Weights
from overopt.methods.math.estimators import reinforce
from overopt.methods.math.games import penalized_wins
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("tau", low=0.001, high=3.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("anchor_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of Nash-EMA."""

    tau: float = param(0.008, help="KL penalty", unit="1/nats", at_least=0.0)
    decay: float = param(
        0.99, help="d, what the average keeps in a step", at_least=0.0, at_most=1.0
    )


def begin(config: Config, initial: Weights) -> Weights:
    """The average starts at the initial policy."""
    return initial


def after_step(config: Config, memory: Weights, weights: Weights, step: int) -> AfterStep:
    """Move the average, from which opponents are drawn.

    Args:
        config: decay d.
        memory: the average so far.
        weights: the policy's, after the step.
        step: gradient steps taken.

    Reference:
        Nash Learning from Human Feedback, https://arxiv.org/abs/2312.00886
    """
    average = {
        name: torch.lerp(kept, weights[name], 1 - config.decay) for name, kept in memory.items()
    }
    return AfterStep(average, anchor=average)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Chance to beat the average's samples over 1/2, less the penalty, (B, N).

    Args:
        config: tau, per nat.
        rollout: preferences (B, N, N) over the average's samples, log-probabilities (B, N, T).

    Reference:
        Nash Learning from Human Feedback, https://arxiv.org/abs/2312.00886
    """
    return penalized_wins(rollout, config.tau)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -A log pi(y|x), in nats.

    Args:
        config: unused here; the penalty is inside the advantage.
        step: advantage (B, N), and the responses as the policy reads them now, (B, N, T).

    Reference:
        Nash Learning from Human Feedback, https://arxiv.org/abs/2312.00886
    """
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
