"""L1 loss on labels, with an over-parameterized head from small weights: robust to label noise.

Paper: Ghosh, Kumar and Sastry 2017, "Robust Loss Functions under Label Noise for Deep Neural
Networks" (https://arxiv.org/abs/1712.09482), the mean absolute error, for two classes:
    L = |e_w - p|_1 = 2 (1 - sigmoid(D)),   D = r_w - r_l
Labels that are flipped with chance e change it to (1 - 2 e) L + 2 e, which has the same minimum.
The head is V U h with more hidden units than the state has numbers, from small weights: gradient
descent on an L1 loss then finds simple solutions first, as Ma and Fattahi 2022, "Global Convergence
of Sub-gradient Method for Robust Matrix Recovery" (https://arxiv.org/abs/2202.08788), show for
matrices.
An analogue of the second paper: its equation is for matrix recovery, and none for comparisons is
known to us. Both papers are cited from memory; what the first says of flips is proved by the tests.
Deviations: the trunk is trained too, from where a task's proxies start; only the head starts small.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of the L1 reward model."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    hidden: int = param(4, help="hidden units of the head, per number of the state", at_least=1)
    scale: float = param(0.3, help="of the head's first weights, 1 being the usual one", above=0.0)


class DeepLinear(nn.Module):
    """V U h: linear in the state, with more weights than a linear head needs."""

    def __init__(self, width: int, hidden: int, scale: float) -> None:
        super().__init__()
        self.first = nn.Linear(width, hidden, bias=False)
        self.last = nn.Linear(hidden, 1, bias=False)
        with torch.no_grad():
            self.first.weight.normal_(std=scale * width**-0.5)
            self.last.weight.normal_(std=scale * hidden**-0.5)

    def forward(self, states: HeadStates) -> Tensor:
        """Reward (B, 1) of each response."""
        reward_B1: Tensor = self.last(self.first(states.last_BD))
        return reward_B1


def make_head(config: Config, shape: HeadShape) -> DeepLinear:
    """The over-parameterized linear head.

    Args:
        config: hidden units per number of the state, scale of the first weights.
        shape: width of the trunk.
    """
    return DeepLinear(shape.width, config.hidden * shape.width, config.scale)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Distance of the label from the predicted preference, both sides summed, 0 to 2, (P,).

    Args:
        config: unused.
        batch: rewards of both sides.

    Reference:
        Robust Loss Functions under Label Noise for Deep Neural Networks,
        https://arxiv.org/abs/1712.09482
    """
    return 2.0 * torch.sigmoid(batch.rejected_P - batch.chosen_P)
