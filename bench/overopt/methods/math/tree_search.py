"""Pieces that searches in trees of partial answers share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from overopt.methods.contract.search import Children, Floats
from overopt.methods.contract.training import HiddenStates


def upper_bound(children: Children, exploration: float, unvisited: float) -> Floats:
    """Upper confidence bound of each child, (R, C): V + c sqrt(2 ln N / n), or V + b where n = 0.

    Args:
        children: values V in SDs of the reward; visits, n of a child and N of its parent.
        exploration: c.
        unvisited: b.

    Reference:
        ReST-MCTS*, https://arxiv.org/abs/2406.03816; from the authors' code
    """
    parent_R1 = np.maximum(children.parent_R, 1)[:, None]
    visits_RC = np.maximum(children.visits_RC, 1)
    bonus_RC = exploration * np.sqrt(2.0 * np.log(parent_R1) / visits_RC)
    found_RC = children.value_RC + np.where(children.visits_RC > 0, bonus_RC, unvisited)
    return np.asarray(found_RC, np.float64)


class ReachedHead(nn.Module):
    """Value of what a response has reached: a linear map of the last hidden state at each token.

    The state has seen that token too. It is 0 at first. The policy gets no gradient through it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight_D = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, states: HiddenStates) -> Tensor:
        """Values (R, T, 1)."""
        last_RTD = states.after_RTLD[:, :, -1].detach()
        return (last_RTD @ self.weight_D + self.bias).unsqueeze(-1)
