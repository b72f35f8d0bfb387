"""APO-zero: chosen responses are to become likelier than they were, and rejected ones less likely.

Paper: D'Oosterlinck et al. 2024, "Anchored Preference Optimization and Contrastive Revisions:
Addressing Underspecification in Alignment" (https://arxiv.org/abs/2408.06266), eq. 7 as TRL cites
it:
    L = 1 - sigmoid(beta r_w) + sigmoid(beta r_l),   r = log pi(y|x) - log pi_ref(y|x)
summed over tokens. Meant for chosen responses that are better than what the policy writes. Each
side is anchored to pi_ref by itself: no sum of the two can hide that both fall. A side's gradient
fades both once it is where it is to be and while it is far on the wrong side.
Checked against TRL's "apo_zero".
Deviations: none in the loss.
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
    """Settings of APO-zero."""

    beta: float = param(0.1, help="how soon a gain or a loss saturates", unit="1/nats", above=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """APO-zero loss of each pair.

    Args:
        config: beta, per nat.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,), between 0 and 2; 1 at the start.

    Reference:
        Anchored Preference Optimization, eq. 7, https://arxiv.org/abs/2408.06266
    """
    gain_B = (config.beta * batch.chosen.log_ratio).sigmoid()
    return 1 - gain_B + (config.beta * batch.rejected.log_ratio).sigmoid()
