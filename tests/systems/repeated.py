"""Repeated: each round keeps its margins near those of the round before.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import ReadBatch
from overopt.spec.declare import param

ROUNDS = "times"


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(1, help="reward models", at_least=1)
    weight: float = param(1.0, help="of the distance to the round before")
    times: int = param(2, help="rounds")


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry, and the squared distance to the margin of the round before."""
    margin_P = batch.chosen_P - batch.rejected_P
    if batch.previous_P is None:
        return -logsigmoid(margin_P)
    return -logsigmoid(margin_P) + config.weight * (margin_P - batch.previous_P) ** 2
