"""Best response: policy gradient on the chance to beat the initial policy.

Paper: Munos et al. 2023, "Nash Learning from Human Feedback" (https://arxiv.org/abs/2312.00886), a
baseline there (Nash-MD with the initial policy alone in the mixture): y is drawn from the policy,
y' from the initial one, and the policy ascends
    grad log pi(y|x) ( P(y beats y') - 1/2 - tau log( pi(y|x)/pi_ref(y|x) ) )
(equation number not verified). The opponent never moves, so that this is RL on a fixed reward, the
win rate over the initial policy, whose optimum is pi_ref exp( P pi_ref / tau )/Z. Checked against
that policy on a cycle of preferences.
Deviations: each sample plays as many samples of the initial policy as the task draws. With a proxy
that scores single responses P is sigmoid(r - r'), so that what is gained flattens out as r grows.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.estimators import reinforce
from overopt.methods.math.games import penalized_wins
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("tau", low=0.001, high=3.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("reference_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of the best response."""

    tau: float = param(0.008, help="KL penalty", unit="1/nats", at_least=0.0)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Chance to beat the initial policy's samples over 1/2, less the penalty, (B, N).

    Args:
        config: tau, per nat.
        rollout: preferences (B, N, N) over initial samples, log-probabilities (B, N, T).

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
