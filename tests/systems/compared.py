"""Compared: a linear head on the difference and on the product of two responses' states.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, ReadBatch
from overopt.proxies.contract.pairwise import PairStates
from overopt.spec.declare import param

PAIRWISE = True


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(1, help="reward models", at_least=1)
    opponents: int = param(3, help="responses to compare with", at_least=1)


class Difference(nn.Module):
    """Not symmetric by itself: the first response has an advantage."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.better, self.place = nn.Linear(width, 1, bias=False), nn.Parameter(torch.ones(1))

    def forward(self, states: PairStates) -> Tensor:
        gap_B1: Tensor = self.better(states.first.last_BD - states.second.last_BD)
        return gap_B1 + self.place


def make_head(config: Config, shape: HeadShape) -> Difference:
    """The head."""
    return Difference(shape.width)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Cross-entropy of both orders."""
    return -0.5 * (logsigmoid(batch.chosen_P) + logsigmoid(-batch.rejected_P))
