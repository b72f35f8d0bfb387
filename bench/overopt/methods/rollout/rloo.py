"""RLOO: REINFORCE on whole responses, each judged against the other samples of its prompt.

Paper: Ahmadian et al. 2024, "Back to Basics: Revisiting REINFORCE Style Optimization for Learning
from Human Feedback in LLMs" (https://arxiv.org/abs/2402.14740), the RLOO estimator of its method
section (equation number not verified):
    gradient of J = 1/N sum_i A_i grad log pi(y_i|x),   A_i = R_i - 1/(N-1) sum_{j != i} R_j
    R = r - beta log( pi(y|x) / pi_ref(y|x) )          (the k1 penalty, inside the reward)
Deviations: beta is 0 by default, so that a run walks through KL and is read along its steps; the
paper keeps a penalty. r is in SDs of the initial policy. TRL multiplies the advantage by a clipped
probability ratio; on fresh samples that ratio is 1 and the gradients agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of RLOO."""

    beta: float = param(
        0.0, help="KL penalty inside the reward", unit="reward SDs/nat", at_least=0.0
    )


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Penalized reward of each response minus the mean of its prompt's others, in reward SDs.

    Args:
        config: beta, reward SDs per nat.
        rollout: rewards (B, N) and log-probabilities (B, N, T) of N >= 2 samples per prompt.

    Returns:
        Shape (B, N); every row sums to 0.

    Raises:
        ValueError: if there is only one sample per prompt.

    Reference:
        Back to Basics, section on RLOO, https://arxiv.org/abs/2402.14740
    """
    return leave_one_out(rollout.reward_BN - config.beta * rollout.sampled.log_ratio)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response: -A log pi(y|x), with log pi summed over tokens, in nats.

    Args:
        config: unused here; the penalty is inside the advantage.
        step: advantage (B, N), and the responses as the policy reads them now, (B, N, T).

    Returns:
        Shape (B, N); its mean's gradient is the estimator above, negated.

    Reference:
        Back to Basics, section on RLOO, https://arxiv.org/abs/2402.14740
    """
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
