"""Step rewards clipped from above, so that more right steps pay no more.

Paper: Gao et al. 2024, "On Designing Effective RL Reward at Training Time for LLM Reasoning"
(https://arxiv.org/abs/2410.15115). Step scores p_k of a process reward model enter as
    c_k = min( p_k - eta, 0 )           total: success at the end + alpha sum_k c_k
eta so large that most steps get 0: only bad steps cost, and adding steps gains nothing. As eta
grows every step costs, and short answers win. Known from abstract and public reviews: these forms;
eta and alpha are given in neither, and no code is public.
Deviations: success is the proxy's score of the whole response; p_k is the chance that the proxy
gives a step, the sigmoid of its log-odds; the gradient is REINFORCE on returns-to-go, each less the
mean of the prompt's other samples at the same token, instead of PPO's; beta is ours and 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.step_returns import step_advantages, step_chance, token_reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("step_rewards",)


@dataclass(frozen=True)
class Config:
    """Settings of clipped step rewards."""

    beta: float = param(
        0.0, help="KL penalty inside the reward", unit="reward SDs/nat", at_least=0.0
    )
    eta: float = param(0.9, help="score from which a step costs nothing", at_least=0.0)
    alpha: float = param(1.0, help="weight of the step rewards", unit="reward SDs", at_least=0.0)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Outcome and what the steps still cost, less those of the other samples, (B, N, T).

    Args:
        config: beta, eta, alpha.
        rollout: rewards (B, N), step scores (B, N, T), log-probabilities.

    Reference:
        On Designing Effective RL Reward at Training Time, https://arxiv.org/abs/2410.15115
    """
    chance_BNT, end_BNT = step_chance(rollout)
    clipped_BNT = (chance_BNT - config.eta).clamp(max=0) * end_BNT
    outcome_BN = rollout.reward_BN - config.beta * rollout.sampled.log_ratio
    return step_advantages(outcome_BN, clipped_BNT, config.alpha, rollout.sampled.mask)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -sum_t A_t log pi(y_t), in nats."""
    return token_reinforce(step.advantage_BNT, step.now.policy_logp, step.now.mask)
