"""IPO: regress the log-ratio margin of a pair on a finite target instead of pushing it to infinity.

Paper: Azar et al. 2023, "A General Theoretical Paradigm to Understand Learning from Human
Preferences" (https://arxiv.org/abs/2310.12036), eq. 17:
    L = ( h - 1 / (2 beta) )^2,   h = (r_w - r_l),   r = log pi(y|x) - log pi_ref(y|x)
beta is the paper's tau. Log-probabilities are summed over the response, as the equation is written.
Deviations: none from the equation. TRL divides each r by its response's length first, and its
source reports that the paper's authors confirmed this for their experiments; under that reading
the margin is per token, and a beta of TRL's corresponds to about beta / length here.
The default beta of 0.05 sets the target margin to 10 nats, which is DPO's scale 1 / beta at 0.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of IPO."""

    beta: float = param(
        0.05, help="regularization; the target margin is 1 / (2 beta)", unit="1/nats", above=0.0
    )


def loss(config: Config, batch: PairBatch) -> Tensor:
    """IPO loss of each pair, in nats squared: (r_w - r_l - 1/(2 beta))^2.

    Args:
        config: beta, per nat.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        A General Theoretical Paradigm to Understand Learning from Human Preferences, eq. 17,
        https://arxiv.org/abs/2310.12036
    """
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return (margin_B - 1.0 / (2.0 * config.beta)).square()
