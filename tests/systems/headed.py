"""Headed: a linear head on both states, a language head that is kept, and a loss of both.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, given
from overopt.spec.declare import param

START = "policy"
INPUTS = ("logps", "reference_logps")


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(1, help="reward models", at_least=1)
    weight: float = param(0.0, help="of the distance to the initial policy's log-probabilities")


class Both(nn.Module):
    """Two outputs: the reward, which reads both states, and what the prompt's says alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.last, self.prompt = nn.Linear(width, 1), nn.Linear(width, 1)

    def forward(self, states: HeadStates) -> Tensor:
        prompt_B1 = self.prompt(states.prompt_BD)
        return torch.cat([self.last(states.last_BD) + prompt_B1, prompt_B1], 1)


def make_head(config: Config, shape: HeadShape) -> Both:
    """The head."""
    return Both(shape.width)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry, and the square of what the language head has moved on the chosen side."""
    moved_P = given(batch.chosen.logp_PT, "logp_PT").sum(-1)
    moved_P = moved_P - given(batch.chosen.reference_logp_PT, "reference_logp_PT").sum(-1)
    return -logsigmoid(batch.chosen_P - batch.rejected_P) + config.weight * moved_P**2
