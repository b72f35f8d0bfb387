"""Ten samples of the initial policy in its exact proportions, as data to learn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout

from . import fresh
from .three_responses import REWARD_R

DRAWN_N = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)


def beside(reward_BN: Tensor, own: int = 2) -> Rollout:
    """A rollout whose opponents are samples of the initial policy with these rewards."""
    others = fresh.rollout(reward_BN)
    return fresh.rollout(torch.zeros(len(reward_BN), own))._replace(opponents=others)


def optimum(
    build: Callable[[Rollout], KeptRows],
    loss: Callable[[Reading], Tensor],
    change: Callable[[Reading], Reading] = lambda reading: reading,
) -> list[float]:
    """Chances of the three responses at the minimum of a loss of what is kept of the corpus."""
    built = build(beside(REWARD_R[DRAWN_N][None], own=1))
    row_K = DRAWN_N[built.row_K - 1]

    def mean(logp_R: Tensor) -> Tensor:
        reading = fresh.read(logp_R, row_K)._replace(weight=built.weight_K)
        return loss(change(reading)).mean()

    found: list[float] = fresh.learned(mean).exp().tolist()
    return found
