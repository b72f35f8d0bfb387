"""Ctrl-U: comparisons that the model reads differently each time weigh less.

Analogue of an equation for images.
Paper: Zhang et al. 2024, "Ctrl-U: Robust Conditional Image Generation via Uncertainty-aware Reward
Modeling" (https://arxiv.org/abs/2410.11236), whose loss was checked against the authors' released
code: two generations for one condition are read by the reward model, the discrepancy U of the
readings is the uncertainty, and rectifies the reward loss l:
    L = l exp(-U) + a U,   a = 1 in the code (lambda in the paper)
Here two stochastic readings of one comparison, by dropout of the state that the head reads, take
the place of the two images: U = KL(p_2 || p_1) of the two chances that the preferred response is
preferred, and l is the Bradley-Terry loss of the first. U's gradient goes into both, as in the
code, so that readings are also pulled together. Without dropout U is 0 and this is Bradley-Terry.
Deviations: in the paper the generator is trained by this loss and the reward model is frozen; here
it trains the reward model. The code scales U by 1 or 0.1 by data set; ``scale`` is by default 1.
The paper's own value of lambda was not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, given
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of Ctrl-U."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    dropout: float = param(
        0.1, help="of the state that each reading sees", at_least=0.0, at_most=0.9
    )
    weight: float = param(1.0, help="a: price of a nat of discrepancy", at_least=0.0)
    scale: float = param(1.0, help="of the discrepancy", at_least=0.0)


class TwoReadings(nn.Module):
    """A linear reward, and two readings of it that differ in training."""

    def __init__(self, width: int, chance: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)
        self.chance = chance

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 2), both the same where it scores."""
        readings = [
            self.linear(dropout(states.last_BD, self.chance, self.training)) for _ in range(2)
        ]
        return torch.cat(readings, dim=1)


def make_head(config: Config, shape: HeadShape) -> TwoReadings:
    """The head.

    Args:
        config: dropout.
        shape: width of the trunk.
    """
    return TwoReadings(shape.width, config.dropout)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Rectified Bradley-Terry loss of each comparison, nats, (P,).

    Args:
        config: price and scale of the discrepancy.
        batch: two readings of both sides.

    Reference:
        Ctrl-U, https://arxiv.org/abs/2410.11236
    """
    margin_P2 = given(batch.chosen.output_PC, "output_PC") - given(
        batch.rejected.output_PC, "output_PC"
    )
    first_P, second_P = margin_P2.unbind(1)
    unsure_P = config.scale * discrepancy(first_P, second_P)
    return -logsigmoid(first_P) * (-unsure_P).exp() + config.weight * unsure_P


def discrepancy(first_P: Tensor, second_P: Tensor) -> Tensor:
    """sum p_2 log(p_2 / p_1) over both outcomes, by logits, nats, (P,)."""
    won_P = torch.sigmoid(second_P) * (logsigmoid(second_P) - logsigmoid(first_P))
    lost_P = torch.sigmoid(-second_P) * (logsigmoid(-second_P) - logsigmoid(-first_P))
    return won_P + lost_P
