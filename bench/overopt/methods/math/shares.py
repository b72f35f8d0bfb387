"""The best share of a round's samples."""

from __future__ import annotations

from torch import Tensor


def in_best_share(score: Tensor, share: float) -> Tensor:
    """Whether each score is at or above the quantile that leaves this share; bool, same shape.

    At least one is; of equal scores all are, or none.
    """
    good = max(1, round(share * score.numel()))
    return score >= score.flatten().topk(good).values[-1]
