"""How alike texts are, and how much a text repeats itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats

RECALL_WEIGHT = 9.0
FRAGMENTS = 0.5
"""Largest part of a score that scattered matches cost."""


def meteor(candidate: Sequence[int], reference: Sequence[int]) -> float:
    """METEOR of one text against another, between 0 and 1, by equal words alone.

    With m matched words, P = m / words of the candidate, R = m / words of the reference,
        score = 10 P R / (R + 9 P) (1 - 0.5 (chunks / m)^3),
    a chunk being a run of matches that lie next to each other in both texts.

    Deviations: stems and synonyms match nothing. Which equal words are matched is found by taking
    the longest common run first, the earliest of equally long ones, again and again; the original
    asks for the alignment with the fewest crossings, which is the same where words do not repeat.

    Reference: Banerjee, Lavie, "METEOR: An Automatic Metric for MT Evaluation with Improved
        Correlation with Human Judgments", 2005, section 2, https://aclanthology.org/W05-0909
        (formula from memory). SuperHF (https://arxiv.org/abs/2310.16763) reports it between
        outputs before and after training.
    """
    if not candidate or not reference:
        return 0.0
    matched, chunks = _runs(np.asarray(candidate), np.asarray(reference))
    if matched == 0:
        return 0.0
    precision, recall = matched / len(candidate), matched / len(reference)
    mean = (1 + RECALL_WEIGHT) * precision * recall / (recall + RECALL_WEIGHT * precision)
    return float(mean * (1 - FRAGMENTS * (chunks / matched) ** 3))


def repeated_share(ids_NT: ArrayLike, length_N: ArrayLike, order: int = 2) -> Floats:
    """Share (N,) of a text's n-grams that stood in it before; NaN where it has none.

    1 - distinct n-grams / n-grams, within each text.

    Args:
        ids_NT: words, right-padded.
        length_N: words of each text; what lies beyond is padding.
        order: n.

    Reference: Welleck et al., "Neural Text Generation with Unlikelihood Training", 2019, seq-rep-n,
        https://arxiv.org/abs/1908.04319 (there over continuations of a fixed length).
    """
    ids, length = np.asarray(ids_NT, np.int64), np.asarray(length_N, np.int64)
    count_N = np.maximum(length - order + 1, 0)
    width = max(ids.shape[1] - order + 1, 0)
    base = int(ids.max(initial=0)) + 1
    gram_NW = np.zeros((ids.shape[0], width), np.int64)
    for offset in range(order):
        gram_NW = gram_NW * base + ids[:, offset : offset + width]
    outside = np.arange(width) >= count_N[:, None]
    # what is no n-gram gets a number of its own, so that sorting keeps it apart
    gram_NW = np.where(outside, -1 - np.arange(width), gram_NW)
    ordered = np.sort(gram_NW, axis=1)
    again_N = (np.diff(ordered, axis=1) == 0).sum(axis=1)
    share_N: Floats = np.full(len(ids), np.nan)
    np.divide(again_N, count_N, out=share_N, where=count_N > 0)
    return share_N


def _runs(one: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """Matched words and chunks; see ``meteor``."""
    free = one[:, None] == other[None, :]
    matched = chunks = 0
    while free.any():
        length = np.zeros((len(one) + 1, len(other) + 1), np.int64)
        for row in range(len(one) - 1, -1, -1):
            length[row, :-1] = np.where(free[row], 1 + length[row + 1, 1:], 0)
        at, to = np.unravel_index(int(length.argmax()), length.shape)
        run = int(length[at, to])
        free[at : at + run, :] = False
        free[:, to : to + run] = False
        matched, chunks = matched + run, chunks + 1
    return matched, chunks
