"""Labeled: all that labels can say, in a loss of a plain classifier.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import ReadBatch
from overopt.spec.declare import param

LABELS = ("category", "strength", "terms")
USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(1, help="reward models", at_least=1)
    margin: float = param(0.0, help="per SD of strength")


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry with a margin; categories and terms must fit the pairs."""
    assert batch.labels["category"].shape == batch.chosen_P.shape
    assert batch.labels["terms"].shape[0] == len(batch.chosen_P)
    margin_P = batch.chosen_P - batch.rejected_P - config.margin * batch.labels["strength"]
    return -logsigmoid(margin_P)
