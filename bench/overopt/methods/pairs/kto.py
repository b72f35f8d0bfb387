"""KTO: each response is desirable or not, and its value is judged against what others get.

Paper: Ethayarajh et al. 2024, "KTO: Model Alignment as Prospect Theoretic Optimization"
(https://arxiv.org/abs/2402.01306):
    L = lambda_D (1 - sigmoid(beta (r - z0)))   for desirable responses,   r = log pi/pi_ref
    L = lambda_U (1 - sigmoid(beta (z0 - r)))   for undesirable ones
    z0 = max(0, mean of r over mismatched prompts and responses), without gradient
(its definition of the loss; equation number not verified), z0 standing for KL(pi || pi_ref).
Checked against the authors' code (HALOs) and TRL's, in which responses are shifted by one within a
batch to make the mismatched ones.
Deviations: the two responses of a pair are taken for one desirable and one undesirable example, and
both stand in the same batch; the loss of a pair is the mean of the two, as TRL averages examples.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.01, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("mismatched",)


@dataclass(frozen=True)
class Config:
    """Settings of KTO."""

    beta: float = param(0.1, help="how soon a gain or a loss saturates", unit="1/nats", above=0.0)
    desirable_weight: float = param(1.0, help="lambda_D, weight of chosen responses", at_least=0.0)
    undesirable_weight: float = param(
        1.0, help="lambda_U, weight of rejected responses", at_least=0.0
    )


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Mean of the desirable response's loss and the undesirable one's, of each pair.

    Args:
        config: beta, per nat; the two weights.
        batch: B >= 2 pairs of per-token log-probabilities, nats, (B, T), and mismatched ones.

    Returns:
        Shape (B,), between 0 and the mean of the weights; 1/2 at the start with weights of 1.

    Reference:
        KTO: Model Alignment as Prospect Theoretic Optimization, https://arxiv.org/abs/2402.01306
    """
    z0 = given(batch.mismatched, "mismatched").log_ratio.mean().clamp(min=0.0).detach()
    gain_B = (config.beta * (batch.chosen.log_ratio - z0)).sigmoid()
    loss_B = (config.beta * (z0 - batch.rejected.log_ratio)).sigmoid()
    desirable_B = config.desirable_weight * (1 - gain_B)
    undesirable_B = config.undesirable_weight * (1 - loss_B)
    return (desirable_B + undesirable_B) / 2
