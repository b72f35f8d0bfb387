"""Pairs of a prompt's samples as they come."""

from __future__ import annotations

from torch import Tensor


def neighbors(row_BN: Tensor) -> tuple[Tensor, Tensor]:
    """The first sample of a prompt beside the second, the third beside the fourth, and so on.

    Args:
        row_BN: a number of each of N samples; an odd last sample is left out.

    Returns:
        The first and the second of each pair, shape (B (N // 2),) each.
    """
    even = row_BN.shape[1] // 2 * 2
    first_P, second_P = row_BN[:, :even].reshape(-1, 2).unbind(-1)
    return first_P, second_P
