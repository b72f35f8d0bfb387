"""Mine: DPO with its loss cut off below; an example of a method of one's own.

Paper: none; the loss is DPO's, softplus(-beta margin), cut off below at `floor` nats.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from overopt.methods.contract.pairs import PairBatch
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of the loss."""

    beta: float = param(0.1, help="scale of the margin", unit="1/nats", above=0.0)
    floor: float = param(0.3, help="below which a pair has no gradient", unit="nats", above=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Loss of each pair, shape (B,)."""
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return softplus(-config.beta * margin_B).clamp(min=config.floor)
