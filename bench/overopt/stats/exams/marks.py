"""How a score does at an exam: how often it ranks responses as gold does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from overopt.stats.arrays import Floats


class Mark(NamedTuple):
    """A mean, and how many sets or pairs it is over."""

    value: float
    number: int


def all_wins(score_SR: Floats, chosen: int) -> Mark:
    """Share of the sets in which every right response scores above every wrong one.

    Where the lowest right one and the highest wrong one score the same, the set counts one half.

    Args:
        score_SR: scores, the right responses first.
        chosen: how many are right.
    """
    low_S, high_S = score_SR[:, :chosen].min(axis=1), score_SR[:, chosen:].max(axis=1)
    return Mark(float(_won(low_S - high_S).mean()), len(low_S))


def mean_wins(score_SR: Floats, chosen: int) -> Mark:
    """Share of pairs, a right and a wrong response of one set, that the right one wins.

    Equal scores count one half. Arguments as for ``all_wins``.
    """
    margin_SCR = score_SR[:, :chosen, None] - score_SR[:, None, chosen:]
    return Mark(float(_won(margin_SCR).mean()), len(score_SR))


def agreement(score_SR: Floats, gold_SR: Floats) -> Mark | None:
    """Share of a set's pairs of different gold that are ranked as gold ranks them.

    Equal scores count one half.

    Returns:
        None where gold never differs.
    """
    first, second = np.triu_indices(score_SR.shape[1], 1)
    gold_SP = gold_SR[:, first] - gold_SR[:, second]
    margin_SP = (score_SR[:, first] - score_SR[:, second]) * np.sign(gold_SP)
    differs_SP = gold_SP != 0.0
    if not differs_SP.any():
        return None
    return Mark(float(_won(margin_SP[differs_SP]).mean()), int(differs_SP.sum()))


def preferred(margin_P: Floats) -> Mark | None:
    """Share of pairs whose labeled side scores above the other; None where there is no pair."""
    return Mark(float(_won(margin_P).mean()), len(margin_P)) if len(margin_P) else None


def _won(margin: Floats) -> Floats:
    return np.asarray((margin > 0.0) + 0.5 * (margin == 0.0), np.float64)
