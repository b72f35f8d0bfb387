"""Where along KL a declared flaw of the labels begins to cost gold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, check_finite, check_same_shape
from overopt.stats.intervals import adjust_holm, paired_test


class Onset(NamedTuple):
    """What a flaw costs at each of K budgets, and where that begins to show.

    kl_nats: the smallest budget at which gold of the flawed runs is shown to lie below that of the
        others, nats; None where it is at none.
    kl_nats_K: the budgets, ascending, nats.
    difference_K: gold of the flawed runs less that of the others, mean over seeds.
    p_K: p value of each, one-sided, corrected for all budgets (Holm); 1 with one seed.
    n_seeds: seeds that have both.
    """

    kl_nats: float | None
    kl_nats_K: Floats
    difference_K: Floats
    p_K: Floats
    n_seeds: int


def find_onset(
    kl_nats_K: ArrayLike, flawed_SK: ArrayLike, plain_SK: ArrayLike, level: float = 0.95
) -> Onset:
    """The smallest KL at which gold of flawed runs lies below that of unflawed ones.

    Seeds are paired: both runs of a seed have the same prompts, pairs and noise. At each budget a
    one-sided t test of the S differences; the chance that any budget is taken for an onset where
    there is none is at most 1 - level (Holm over budgets).

    Args:
        kl_nats_K: budgets, ascending, nats.
        flawed_SK: gold of the flawed run of each seed at each budget.
        plain_SK: gold of the run without the flaw.
        level: of the tests together.

    Raises:
        ValueError: shapes differ, budgets do not rise, or a value is NaN or infinite.
    """
    kl_K, flawed, plain = (
        check_finite(values, name)
        for values, name in (
            (kl_nats_K, "budgets"), (flawed_SK, "flawed gold"), (plain_SK, "plain gold"),
        )
    )  # fmt: skip
    check_same_shape(flawed, plain, "flawed and plain gold")
    if flawed.ndim != 2 or flawed.shape[1] != kl_K.size or np.any(np.diff(kl_K) <= 0):
        raise ValueError("gold must be (seeds, budgets), and budgets must rise")
    p_K = np.array([_below(x_S, y_S) for x_S, y_S in zip(flawed.T, plain.T, strict=True)])
    adjusted_K = adjust_holm(p_K)
    shown = np.flatnonzero(adjusted_K <= 1 - level)
    first = float(kl_K[shown[0]]) if shown.size else None
    return Onset(first, kl_K, (flawed - plain).mean(axis=0), adjusted_K, len(flawed))


def _below(x_S: Floats, y_S: Floats) -> float:
    """One-sided p value that x lies below y; 1 where one seed can tell nothing."""
    found = paired_test(x_S, y_S)
    if found.p is None:
        # one seed, or differences that are all the same: only the latter could say anything
        return 0.0 if len(x_S) > 1 and found.difference.mean and found.difference.mean < 0 else 1.0
    if found.t is None:
        return 1.0
    return found.p / 2 if found.t < 0 else 1 - found.p / 2
