"""Recalibration by groups of prompts: each group's margins are brought to their own scale.

Paper: Hébert-Johnson et al. 2017, "Multicalibration: Calibration for the (Computationally-
Identifiable) Masses" (https://arxiv.org/abs/1711.08513): predictions are to be calibrated within
each of many groups, not on the whole only (from memory of the paper; nothing of it was verified).
An analogue: its algorithm patches predictions of one input, and a comparison's probability comes of
two. Here each group g of prompts has a temperature, as Guo et al. 2017, "On Calibration of Modern
Neural Networks" (https://arxiv.org/abs/1706.04599), have one for all:
    L = -log sigmoid(D) - log sigmoid(exp(s_g) sg(D)) + router's cross-entropy,   D = b_w - b_l
    r(x, y) = exp(s_g) b(x, y),   g = argmax of the router, which reads the prompt
sg stops the gradient, so that only s_g learns from the second term: where its minimum is found, the
mean of exp(s_g) D under the labels is that under its own predictions, in every group.
Groups are the world's categories of prompts. Best-of-n does not feel it, since a factor above 0
changes no order within a prompt; methods that train do, which weigh prompts against each other.
Deviations: scales are fitted to the training pairs, while the reward is, where held-out pairs would
be right; groups do not overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, given
from overopt.spec.declare import param

LABELS = ("category",)


@dataclass(frozen=True)
class Config:
    """Settings of recalibration by groups."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    router_weight: float = param(1.0, help="of the router's cross-entropy", at_least=0.0)


class Scaled(nn.Module):
    """A linear reward, a scale for each group, and a router that reads the prompt."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.reward = nn.Linear(width, 1, bias=False)
        self.router = nn.Linear(width, groups)
        self.log_scale_G = nn.Parameter(torch.zeros(groups))

    def forward(self, states: HeadStates) -> Tensor:
        """The routed reward, the raw one, each group's, and the router's logits, (B, 2 + 2 G)."""
        raw_B1 = self.reward(states.last_BD)
        logits_BG = self.router(states.prompt_BD)
        scaled_BG = raw_B1.detach() * self.log_scale_G.exp()
        routed_B1 = scaled_BG.gather(1, logits_BG.argmax(1, keepdim=True))
        return torch.cat([routed_B1, raw_B1, scaled_BG, logits_BG], dim=1)


def make_head(config: Config, shape: HeadShape) -> Scaled:
    """The reward with a scale for each of the world's categories.

    Args:
        config: unused.
        shape: width of the trunk, how many categories there are.
    """
    return Scaled(shape.width, shape.labels["category"])


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry losses of the raw and the scaled reward, and the router's, nats, (P,).

    Args:
        config: weight of the router's loss.
        batch: outputs of both sides, categories.

    Reference:
        Multicalibration, https://arxiv.org/abs/1711.08513
        On Calibration of Modern Neural Networks, https://arxiv.org/abs/1706.04599
    """
    chosen_PC = given(batch.chosen.output_PC, "output_PC")
    difference_PC = chosen_PC - given(batch.rejected.output_PC, "output_PC")
    groups = (chosen_PC.shape[1] - 2) // 2
    group_P1 = batch.labels["category"][:, None]
    scaled_P = difference_PC[:, 2 : 2 + groups].gather(1, group_P1)[:, 0]
    told_P = cross_entropy(chosen_PC[:, 2 + groups :], group_P1[:, 0], reduction="none")
    raw_P = -logsigmoid(difference_PC[:, 1])
    return raw_P - logsigmoid(scaled_P) + config.router_weight * told_P
