"""Step rewards less those of the next step, so that their sum is bounded however many there are.

Paper: Gao et al. 2024, "On Designing Effective RL Reward at Training Time for LLM Reasoning"
(https://arxiv.org/abs/2410.15115). Step scores p_k of a process reward model enter as
    d_k = p_k - p_{k+1},  the last step keeps p_K      total: success at the end + alpha sum_k d_k
so that the return-to-go from step k is p_k itself and the sum is p_1: shaping by the potential -p.
With ``clipped`` p is min(p - eta, 0) first, the paper's recipe. Known from abstract and public
reviews: current less next; which of the last two steps is 0 there, eta and alpha are given in
neither, and no code is public.
Deviations: success is the proxy's score of the whole response; p_k is the chance that the proxy
gives a step, the sigmoid of its log-odds; the gradient is REINFORCE on returns-to-go, each less the
mean of the prompt's other samples at the same token, instead of PPO's; beta is ours and 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.step_returns import (
    less_the_next,
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
    """Settings of differences of step rewards."""

    beta: float = param(
        0.0, help="KL penalty inside the reward", unit="reward SDs/nat", at_least=0.0
    )
    clipped: bool = param(True, help="clip step scores to min(p - eta, 0) first")
    eta: float = param(0.9, help="score from which a clipped step costs nothing", at_least=0.0)
    alpha: float = param(1.0, help="weight of the step rewards", unit="reward SDs", at_least=0.0)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Outcome and the next step's score, less those of the other samples, (B, N, T).

    Args:
        config: beta, clipped, eta, alpha.
        rollout: rewards (B, N), step scores (B, N, T), log-probabilities.

    Reference:
        On Designing Effective RL Reward at Training Time, https://arxiv.org/abs/2410.15115
    """
    score_BNT, end_BNT = step_chance(rollout)
    if config.clipped:
        score_BNT = (score_BNT - config.eta).clamp(max=0) * end_BNT
    outcome_BN = rollout.reward_BN - config.beta * rollout.sampled.log_ratio
    gain_BNT = less_the_next(score_BNT, end_BNT)
    return step_advantages(outcome_BN, gain_BNT, config.alpha, rollout.sampled.mask)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -sum_t A_t log pi(y_t), in nats."""
    return token_reinforce(step.advantage_BNT, step.now.policy_logp, step.now.mask)
