"""rDPO: DPO's loss corrected so that its mean under flipped labels is that under clean ones.

Paper: Ray Chowdhury et al. 2024, "Provably Robust DPO: Aligning Language Models with Noisy
Feedback" (https://arxiv.org/abs/2403.00409), its robust loss (equation number not verified):
    L = ( -(1-e) log sigmoid(beta h) + e log sigmoid(-beta h) ) / (1 - 2e),   h = r_w - r_l
r = log pi(y|x) - log pi_ref(y|x), summed over tokens; labels are flipped with chance e. The
expected loss is unbiased. That of a single pair falls without bound as h rises (slope -e beta /
(1-2e) far out), so that losses become negative, and pairs that all agree have no optimum.
Checked against TRL's "robust"; the authors' code was not seen.
Deviations: none in the loss. e is at most 0.49, since the loss has no value at 0.5; the paper takes
it for known, and here it is the user's guess, 0.1 by default, whatever the labels' noise is.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of rDPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    flips: float = param(
        0.1, help="e, the chance that a label is wrong", at_least=0.0, at_most=0.49
    )


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Robust DPO loss of each pair, in nats; may be negative.

    Args:
        config: beta, per nat; flips.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Provably Robust DPO, https://arxiv.org/abs/2403.00409
    """
    logit_B = config.beta * (batch.chosen.log_ratio - batch.rejected.log_ratio)
    as_labeled_B = -(1 - config.flips) * logsigmoid(logit_B)
    return (as_labeled_B + config.flips * logsigmoid(-logit_B)) / (1 - 2 * config.flips)
