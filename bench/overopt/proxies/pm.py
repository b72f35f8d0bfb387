"""A pairwise preference model: it reads two responses, and what it prefers need not be a ranking.

Paper: Dong et al. 2024, "RLHF Workflow: From Reward Modeling to Online RLHF"
(https://arxiv.org/abs/2405.07863), the preference model of its section on reward modeling (section
number not verified), checked against the authors' released code: a language model reads prompt and
both responses and answers A or B; both orders are averaged, so that no place is favored:
    P(y > y'|x) = (p_A(y, y') + 1 - p_A(y', y)) / 2
It is trained by cross-entropy on the preferred letter. As a reward (Munos et al. 2023, "Nash
Learning from Human Feedback" (https://arxiv.org/abs/2312.00886)) a response scores the mean of P(y
> y_j) over J frozen samples y_j of the initial policy.
Deviations: each response goes through the trunk by itself, and a head of two layers compares the
states at their ends; the paper's model reads both in one text. Scores are recentered and scaled
like any proxy's, which changes no choice among responses to one prompt.
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
    """Settings of the preference model."""

    members: int = param(1, help="preference models, same pairs, different seeds", at_least=1)
    opponents: int = param(8, help="J, frozen responses to compare a response with", at_least=1)
    hidden: int = param(64, help="width of the head's hidden layer", at_least=1)


class Comparison(nn.Module):
    """Linear, ReLU, linear on the states of both responses, side by side."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * width, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, states: PairStates) -> Tensor:
        """Logit (B, 1) that the first response is preferred, in this order."""
        both_BE = torch.cat([states.first.last_BD, states.second.last_BD], dim=1)
        logit_B1: Tensor = self.layers(both_BE)
        return logit_B1


def make_head(config: Config, shape: HeadShape) -> Comparison:
    """The head that compares.

    Args:
        config: width of its hidden layer.
        shape: width of the trunk.
    """
    return Comparison(shape.width, config.hidden)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Cross-entropy of the preferred response, mean of both orders, nats, (P,).

    Args:
        config: unused.
        batch: logits with the preferred response first, and with the other first.

    Reference:
        RLHF Workflow, https://arxiv.org/abs/2405.07863
    """
    return -0.5 * (logsigmoid(batch.chosen_P) + logsigmoid(-batch.rejected_P))
