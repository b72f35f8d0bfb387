"""MRT: the outcome's reward plus a bonus for the progress that each step makes.

Paper: Qu et al. 2025, "Optimizing Test-Time Compute via Meta Reinforcement Fine-Tuning"
(https://arxiv.org/abs/2503.07572):
    r_MRT = r(x, y) + alpha sum_k progress_k,   progress_k = J(x, y_1..y_k) - J(x, y_1..y_{k-1})
J the chance of success of what has been written so far (of a policy that has to answer there). The
sum of a whole response is its last J less that of the bare prompt, so that what is added is the
chance that is there at the end; on the way every token is credited with what is gained after it.
Checked against abstract, project page and released description; definition 6.1 was not read.
Deviations: J is the step score of the proxy, the sigmoid of its log-odds that the step is right,
instead of a mean over answers that are forced after every prefix; J of the prompt is left out,
which the baseline takes care of; the gradient is REINFORCE on returns-to-go, each less the mean of
the prompt's other samples at the same token, instead of GRPO's; beta is ours and 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.step_returns import (
    more_than_the_last,
    step_advantages,
    step_chance,
    token_reinforce,
)
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("step_rewards",)


@dataclass(frozen=True)
class Config:
    """Settings of MRT."""

    beta: float = param(
        0.0, help="KL penalty inside the reward", unit="reward SDs/nat", at_least=0.0
    )
    alpha: float = param(1.0, help="weight of the progress", unit="reward SDs", at_least=0.0)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Outcome and the progress that is still made, less those of the other samples, (B, N, T).

    Args:
        config: beta, alpha.
        rollout: rewards (B, N), step scores (B, N, T), log-probabilities.

    Reference:
        Meta Reinforcement Fine-Tuning, https://arxiv.org/abs/2503.07572
    """
    progress_BNT = more_than_the_last(*step_chance(rollout))
    outcome_BN = rollout.reward_BN - config.beta * rollout.sampled.log_ratio
    return step_advantages(outcome_BN, progress_BNT, config.alpha, rollout.sampled.mask)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -sum_t A_t log pi(y_t), in nats."""
    return token_reinforce(step.advantage_BNT, step.now.policy_logp, step.now.mask)
