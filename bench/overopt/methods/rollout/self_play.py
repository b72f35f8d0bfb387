"""Self-play: policy gradient on the chance to beat the policy itself.

Paper: Munos et al. 2023, "Nash Learning from Human Feedback" (https://arxiv.org/abs/2312.00886), a
baseline there (Nash-MD with nothing of the initial policy in the mixture): y and y' are drawn from
the policy, which ascends
    grad log pi(y|x) ( P(y beats y') - 1/2 - tau log( pi(y|x)/pi_ref(y|x) ) )
(equation number not verified). It comes to rest at pi_ref exp( P pi / tau )/Z, the Nash policy of
the game under a KL penalty tau, which the paper's Nash-MD reaches for a small share m only; a
policy alone may circle it on the way. Checked against that policy on a cycle of preferences.
Deviations: each sample plays as many further samples of the policy as the task draws. With a proxy
that scores single responses P is sigmoid(r - r'), which is transitive, and the method is RL on win
rates; only a proxy that compares responses makes a game of it.
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
INPUTS = ("mixture_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of self-play."""

    tau: float = param(0.008, help="KL penalty", unit="1/nats", at_least=0.0)


def mixture(config: Config) -> float:
    """None of the initial policy is in the opponent."""
    return 0.0


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Chance to beat the policy's own samples over 1/2, less the penalty, (B, N).

    Args:
        config: tau, per nat.
        rollout: preferences (B, N, N) over further samples, log-probabilities (B, N, T).

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
