"""How papers pick pairs among a prompt's samples."""

from __future__ import annotations

import torch
from torch import Tensor

from overopt.methods.contract.iterative import RowPairs


def best_and_worst(score_BN: Tensor) -> RowPairs:
    """The samples of the highest and the lowest score of each prompt; none where all are equal.

    Args:
        score_BN: a score of each of N samples.

    Returns:
        Rows b N + n, shape (P,), P <= B. Of equal scores the first sample is taken.
    """
    prompts, samples = score_BN.shape
    first_B = samples * torch.arange(prompts, device=score_BN.device)
    best_B, worst_B = first_B + score_BN.argmax(-1), first_B + score_BN.argmin(-1)
    differs_B = score_BN.amax(-1) > score_BN.amin(-1)
    return RowPairs(best_B[differs_B], worst_B[differs_B])
