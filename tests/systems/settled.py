"""Settled: a linear head that is recentered after training, and a loss that sees all states.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, TrainedStates, given
from overopt.spec.declare import param

INPUTS = ("states",)
LABELS = ("category",)


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(1, help="reward models", at_least=1)
    weight: float = param(0.0, help="of the mean square of the states")


class Centered(nn.Module):
    """A linear reward of what a state departs from the center, and the center's distance."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)
        self.center_D: Tensor
        self.register_buffer("center_D", torch.zeros(width))

    def forward(self, states: HeadStates) -> Tensor:
        away_BD = states.last_BD - self.center_D
        return torch.cat([self.linear(away_BD), away_BD.norm(dim=1, keepdim=True)], 1)


def make_head(config: Config, shape: HeadShape) -> Centered:
    """The head."""
    return Centered(shape.width)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry, and the mean square of the chosen side's states."""
    state_PTD = given(batch.chosen.state_PTD, "state_PTD")
    square_P = (state_PTD**2).sum((1, 2)) / given(batch.chosen.length_P, "length_P")
    return -logsigmoid(batch.chosen_P - batch.rejected_P) + config.weight * square_P


def settle(config: Config, head: Centered, trained: TrainedStates) -> None:
    """The center is the mean of both sides, by category."""
    assert len(trained.labels["category"]) == len(trained.chosen_length_P)
    both_BD = torch.cat([trained.chosen.last_BD, trained.rejected.last_BD])
    head.center_D.copy_(both_BD.mean(0))
