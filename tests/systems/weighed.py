"""Weighed: pairs count by how much likelier DPO has made them, and by their strength.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import ReadBatch
from overopt.proxies.contract.known import KnownPairs
from overopt.spec.declare import param

OPTIMIZED = "dpo"
LABELS = ("category",)


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(2, help="reward models", at_least=1)
    beta: float = param(0.3, help="of DPO", above=0.0)
    power: float = param(1.0, help="of the ratios")


def prepare(config: Config, known: KnownPairs) -> Mapping[str, npt.NDArray[np.float64]]:
    """The weights."""
    assert known.chosen_ratio_P is not None and known.rejected_ratio_P is not None
    assert known.labels["category"].shape == known.chosen_ratio_P.shape
    return {"weight": np.exp(config.power * (known.chosen_ratio_P + known.rejected_ratio_P))}


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Weighted Bradley-Terry."""
    return -batch.labels["weight"] * logsigmoid(batch.chosen_P - batch.rejected_P)
