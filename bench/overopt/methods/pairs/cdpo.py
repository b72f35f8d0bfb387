"""cDPO: DPO that expects a known share of its labels to be flipped.

Paper: Mitchell 2023, "A note on DPO with noisy preferences & relationship to IPO"
(https://ericmitchell.ai/cdpo.pdf), eq. 3 as the author's code cites it:
    L = -(1-e) log sigmoid(beta h) - e log sigmoid(-beta h),   h = r_w - r_l
r = log pi(y|x) - log pi_ref(y|x), summed over tokens; e is the chance that a label is wrong. A pair
is pulled to the finite margin h = log((1-e)/e) / beta, with correct labels as with flipped ones, so
that margins shrink further than the noise alone shrinks them; rdpo corrects for noise instead.
Checked against the formula in the author's released code; TRL 1.16 no longer has it.
Deviations: e is 0.1 by default; the released code has 0 there.
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
    """Settings of cDPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    flips: float = param(0.1, help="e, the chance that a label is wrong", at_least=0.0, at_most=0.5)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """DPO's loss in expectation over a label that is wrong with chance e, of each pair, in nats.

    Args:
        config: beta, per nat; flips.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        A note on DPO with noisy preferences, eq. 3, https://ericmitchell.ai/cdpo.pdf
    """
    logit_B = config.beta * (batch.chosen.log_ratio - batch.rejected.log_ratio)
    return -(1 - config.flips) * logsigmoid(logit_B) - config.flips * logsigmoid(-logit_B)
