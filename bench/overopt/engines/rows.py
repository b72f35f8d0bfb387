"""Rows of a rollout by their numbers: its samples, then opponents, then demonstrations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from overopt.engines.drawn import DrawnSamples
from overopt.engines.learner import Learner
from overopt.methods.contract.reading import Reading


class _Part(NamedTuple):
    """Rows of one kind among those asked for: their places there, and their own numbers."""

    drawn: DrawnSamples
    place_K: Tensor
    row_K: Tensor


def read_rows(
    learner: Learner, drawn: DrawnSamples, row_K: Tensor, control_K: Tensor | None = None
) -> Reading:
    """The rows as the policy reads them now, with gradient: one pass for each kind among them.

    Args:
        learner: the policy.
        drawn: samples, with what was asked for beside.
        row_K: numbers of rows.
        control_K: see ``DrawnSamples.read``.
    """
    parts = list(_parts(drawn, row_K))
    if len(parts) == 1:
        return parts[0].drawn.read(learner, parts[0].row_K, control_K)
    readings = [
        part.drawn.read(learner, part.row_K, None if control_K is None else control_K[part.place_K])
        for part in parts
    ]
    order_K = torch.argsort(torch.cat([part.place_K for part in parts]))
    return _concatenate(readings).take(order_K)


def tokens_of(drawn: DrawnSamples, row_K: Tensor) -> int:
    """Prompt and response tokens of the rows."""
    return sum(
        int(part.drawn.tokens_R[part.row_K.cpu().numpy()].sum()) for part in _parts(drawn, row_K)
    )


def _parts(drawn: DrawnSamples, row_K: Tensor) -> Iterator[_Part]:
    """The rows by kind; a kind with none among them is left out."""
    first = 0
    for kind in (drawn, drawn.opponents, drawn.demonstrations):
        if kind is None:
            continue
        last = first + len(kind.tokens_R)
        (place_K,) = torch.where((row_K >= first) & (row_K < last))
        if len(place_K):
            yield _Part(kind, place_K, row_K[place_K] - first)
        first = last


def _concatenate(readings: list[Reading]) -> Reading:
    """Readings of one method under each other, padded to the longest."""
    tokens = max(reading.mask.shape[1] for reading in readings)
    wide = [reading.map(lambda part: _widen(part, tokens)) for reading in readings]
    return Reading._make(
        None if parts[0] is None else torch.cat(parts) for parts in zip(*wide, strict=True)
    )


def _widen(part_KT: Tensor, tokens: int) -> Tensor:
    """Zeros up to ``tokens`` along the second dimension."""
    after = (0, 0) * (part_KT.dim() - 2)
    return pad(part_KT, (*after, 0, tokens - part_KT.shape[1]))
