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


def neighbors(value_BN: Tensor) -> tuple[Tensor, Tensor]:
    """Samples 1, 3, ... of each prompt, and 2, 4, ..., which are paired with them; (B, N/2) each.

    Raises:
        ValueError: N is odd, so that one sample has no other.
    """
    if value_BN.shape[1] % 2:
        raise ValueError(f"pairs need an even number of samples per prompt, not {len(value_BN[0])}")
    return value_BN[:, 0::2], value_BN[:, 1::2]


def squared_gaps(*value_BN: Tensor) -> Tensor:
    """Half of (R_i - R_j)^2, summed over a sample's N - 1 pairs, over N - 1, (B, N).

    The sum over a prompt's samples is 1/(N-1) sum_{i>j} (R_i - R_j)^2.

    Args:
        value_BN: R; of several, the largest square of each pair counts.

    Reference:
        Contrastive Policy Gradient, https://arxiv.org/abs/2406.19185
    """
    each = [(value[:, :, None] - value[:, None, :]).square() for value in value_BN]
    return torch.stack(each).amax(0).sum(-1) / (2 * (value_BN[0].shape[1] - 1))
