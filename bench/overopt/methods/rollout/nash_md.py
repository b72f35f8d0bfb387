"""Nash-MD: policy gradient on the chance to beat a mixture of the policy and the initial one.

Paper: Munos et al. 2023, "Nash Learning from Human Feedback" (https://arxiv.org/abs/2312.00886): y
is drawn from the policy, y' from the mixture pi^m ~ pi^(1-m) pi_ref^m, and the policy ascends
    grad log pi(y|x) ( P(y beats y') - 1/2 - tau log( pi(y|x)/pi_ref(y|x) ) )
(its Nash-MD-PG; equation number not verified). It comes to rest at pi_ref exp( P pi^m / tau )/Z;
for small m that is the Nash policy of the game under a KL penalty tau.
Checked against TRL's trainer: the mixture is of next tokens, as here, not of whole responses.
Deviations: each sample plays all of the prompt's opponents, so that P is a mean; the penalty is
that of the whole response, where TRL multiplies each token's log-ratio with its own score only.
With a proxy that scores single responses P is sigmoid(r - r'), which is transitive, and the method
is RL on win rates; only a proxy that compares responses makes a game of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.estimators import reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("tau", low=0.001, high=3.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("mixture_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of Nash-MD."""

    tau: float = param(0.008, help="KL penalty", unit="1/nats", at_least=0.0)
    initial_share: float = param(
        0.125, help="m, share of the initial policy in the opponent", at_least=0.0, at_most=1.0
    )


def mixture(config: Config) -> float:
    """Share of the initial policy in the opponent."""
    return config.initial_share


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Chance to beat the opponents over 1/2, less the penalty, of each response.

    Args:
        config: tau, per nat.
        rollout: preferences (B, N, N) over the opponents, log-probabilities (B, N, T).

    Returns:
        Shape (B, N).

    Reference:
        Nash Learning from Human Feedback, https://arxiv.org/abs/2312.00886
    """
    wins_BN = rollout.preference_BNN.mean(-1)
    return wins_BN - 0.5 - config.tau * rollout.sampled.log_ratio


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -A log pi(y|x), in nats.

    Args:
        config: unused here; the penalty is inside the advantage.
        step: advantage (B, N), and the responses as the policy reads them now, (B, N, T).

    Reference:
        Nash Learning from Human Feedback, https://arxiv.org/abs/2312.00886
    """
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
