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
    p_K: p value of each, one-sided, corrected for all budgets (Holm); None where the t
        distribution has nothing to say: one seed, or one and the same difference other than 0.
    n_seeds: seeds that have both.
    """

    kl_nats: float | None
    kl_nats_K: Floats
    difference_K: Floats
    p_K: tuple[float | None, ...]
    n_seeds: int


def find_onset(
    kl_nats_K: ArrayLike, flawed_SK: ArrayLike, plain_SK: ArrayLike, level: float = 0.95
) -> Onset:
    """The smallest KL at which gold of flawed runs lies below that of unflawed ones.

    Seeds are paired: both runs of a seed have the same prompts, pairs and noise. At each budget a
    one-sided t test of the S differences; the chance that any budget is taken for an onset where
    there is none is at most 1 - level (Holm over budgets). Budgets without a test count in that
    correction, and are no onset.

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
    raw_K = [_below(x_S, y_S) for x_S, y_S in zip(flawed.T, plain.T, strict=True)]
    adjusted_K = adjust_holm([1.0 if p is None else p for p in raw_K]).tolist()
    p_K = tuple(None if raw is None else float(p) for raw, p in zip(raw_K, adjusted_K, strict=True))
    shown = (k for k, p in enumerate(p_K) if p is not None and p <= 1 - level)
    first = next((float(kl_K[k]) for k in shown), None)
    return Onset(first, kl_K, (flawed - plain).mean(axis=0), p_K, len(flawed))


def _below(x_S: Floats, y_S: Floats) -> float | None:
    """One-sided p value that x lies below y; None where the t distribution has nothing to say."""
    if len(x_S) < 2:
        return None
    # equal differences are seldom so to the last digit, and rounding is no spread over seeds
    digit = np.spacing(max(np.abs(x_S).max(), np.abs(y_S).max()))
    if np.any(x_S != y_S) and np.ptp(x_S - y_S) <= 4 * digit:
        return None
    found = paired_test(x_S, y_S)
    if found.p is None or found.t is None:
        return found.p
    return found.p / 2 if found.t < 0 else 1 - found.p / 2
