"""APO-down: both responses are to become less likely than they were, rejected ones by more.

Paper: D'Oosterlinck et al. 2024, "Anchored Preference Optimization and Contrastive Revisions:
Addressing Underspecification in Alignment" (https://arxiv.org/abs/2408.06266), eq. 8 as TRL cites
it:
    L = sigmoid(beta r_w) + 1 - sigmoid(beta (r_w - r_l)),   r = log pi(y|x) - log pi_ref(y|x)
summed over tokens. Meant for chosen responses that are worse than what the policy writes. Here the
initial policy wrote both responses, so that all of its own are pushed down, which moves it away
from what it has seen without saying whereto.
Checked against TRL's "apo_down".
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
    """Settings of APO-down."""

    beta: float = param(0.1, help="how soon a gain or a loss saturates", unit="1/nats", above=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """APO-down loss of each pair.

    Args:
        config: beta, per nat.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,), between 0 and 2; 1 at the start.

    Reference:
        Anchored Preference Optimization, eq. 8, https://arxiv.org/abs/2408.06266
    """
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    fallen_B = (config.beta * batch.chosen.log_ratio).sigmoid()
    return fallen_B + 1 - (config.beta * margin_B).sigmoid()
