"""Draws the sets of an exam from the samples of one prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.stats.arrays import Floats
from overopt.stats.exams.designs import MODELS, Design, Lineup, Tilt

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_TIE = 1e-9
"""Below differences of two distances that mean anything; settles ties by chance."""


class Written(NamedTuple):
    """All samples of one prompt, N of them, over V different tokens.

    gold_N: gold. length_N: tokens. logp_N: log-probability under the initial policy, nats.
    present_NV: which tokens a response has.
    """

    gold_N: Floats
    length_N: Floats
    logp_N: Floats
    present_NV: Flags


def log_weights(written: Written, tilt: Tilt, strength: float) -> Floats:
    """Log of a model's weights relative to the initial policy, up to a constant, (N,)."""
    return np.asarray(strength * style(written) @ np.array(tilt), np.float64)


def style(written: Written) -> Floats:
    """z_length and z_wording of each response, (N, 2)."""
    wording_N = written.logp_N / np.maximum(written.length_N, 1.0)
    return np.stack([_standardized(written.length_N), _standardized(wording_N)], axis=1)


def _standardized(value_N: Floats) -> Floats:
    """Mean 0 and SD 1; all 0 where nothing varies."""
    off_N = value_N - value_N.mean()
    sd = float(off_N.std())
    return np.zeros_like(off_N) if sd <= 1e-9 * (1.0 + np.abs(value_N).max()) else off_N / sd


def right_and_wrong(gold_N: Floats) -> tuple[Flags, Flags]:
    """Which responses lie in the upper and in the lower third by gold; none where these are one.

    A third of N is N // 3 responses, one at least, and those of equal gold with them.
    """
    ordered_N, third = np.sort(gold_N), max(1, len(gold_N) // 3)
    low, high = ordered_N[third - 1], ordered_N[-third]
    differs = bool(low < high)
    return (gold_N >= high) & differs, (gold_N <= low) & differs


def distances(one_SV: Flags, other_NV: Flags) -> Floats:
    """Jaccard distance, (S, N): 1 - tokens that both have / tokens that one of them has.

    Two responses without tokens are the same.
    """
    both_SN = one_SV.astype(np.float64) @ other_NV.astype(np.float64).T
    either_SN = one_SV.sum(1)[:, None] + other_NV.sum(1)[None, :] - both_SN
    alike_SN = np.ones_like(both_SN)
    np.divide(both_SN, either_SN, out=alike_SN, where=either_SN > 0.0)
    return 1.0 - alike_SN


def draw_design(
    written: Written, design: Design, sets: int, strength: float, rng: np.random.Generator
) -> Rows | None:
    """Samples of each set, (S, R): the right ones, then the wrong ones, none twice in a set.

    Returns:
        None where the prompt has not as many right or wrong responses.
    """
    right_N, wrong_N = right_and_wrong(written.gold_N)
    if right_N.sum() < len(design.chosen) or wrong_N.sum() < len(design.rejected):
        return None
    right_SC = _draw(written, design.chosen, right_N, sets, strength, rng)
    if design.choice == "matched":
        wrong_SR = _match(written, right_SC[:, 0], wrong_N, len(design.rejected), rng)
    elif design.choice == "drawn":
        wrong_SR = _draw(written, design.rejected, wrong_N, sets, strength, rng)
    else:
        first_S1 = _draw(written, design.rejected[:1], wrong_N, sets, strength, rng)
        wrong_SR = _gather(written, first_S1, wrong_N, design, rng)
    return np.concatenate([right_SC, wrong_SR], axis=1)


def draw_lineup(
    written: Written, lineup: Lineup, sets: int, strength: float, rng: np.random.Generator
) -> Rows | None:
    """Samples of each set, (S, R), one of each model; None where there are fewer samples."""
    if len(written.gold_N) < len(lineup.models):
        return None
    every_N = np.ones(len(written.gold_N), bool)
    return _draw(written, lineup.models, every_N, sets, strength, rng)


def _draw(
    written: Written,
    models: Sequence[str],
    eligible_N: Flags,
    sets: int,
    strength: float,
    rng: np.random.Generator,
) -> Rows:
    """One sample of each model for each set, without those that the set has: (S, len(models)).

    The largest of log weight + Gumbel noise is a draw in proportion to the weights.
    """
    free_SN = np.repeat(eligible_N[None, :], sets, axis=0)
    taken = []
    for model in models:
        weight_N = log_weights(written, MODELS[model], strength)
        key_SN = np.where(free_SN, weight_N + rng.gumbel(size=free_SN.shape), -np.inf)
        taken.append(key_SN.argmax(axis=1))
        free_SN[np.arange(sets), taken[-1]] = False
    return np.stack(taken, axis=1).astype(np.int64)


def _match(
    written: Written, right_S: Rows, eligible_N: Flags, count: int, rng: np.random.Generator
) -> Rows:
    """The samples nearest in style to one response of each set, (S, count)."""
    style_N2 = style(written)
    far_SN = np.linalg.norm(style_N2[right_S][:, None] - style_N2, axis=2)
    far_SN += _TIE * rng.random(far_SN.shape)
    return np.where(eligible_N, far_SN, np.inf).argsort(axis=1)[:, :count].astype(np.int64)


def _gather(
    written: Written, first_S1: Rows, eligible_N: Flags, design: Design, rng: np.random.Generator
) -> Rows:
    """Adds, one after the other, the sample nearest to, or farthest from, all that the set has.

    Nearest: of the smallest largest distance. Farthest: of the largest smallest distance.
    """
    is_alike = design.choice == "alike"
    farthest: Callable[[Floats, Floats], Floats] = np.maximum if is_alike else np.minimum
    row_SR, sets = first_S1, len(first_S1)
    free_SN = np.repeat(eligible_N[None, :], sets, axis=0)
    far_SN = distances(written.present_NV[row_SR[:, 0]], written.present_NV)
    while row_SR.shape[1] < len(design.rejected):
        free_SN[np.arange(sets), row_SR[:, -1]] = False
        key_SN = (-far_SN if is_alike else far_SN) + _TIE * rng.random(far_SN.shape)
        next_S = np.where(free_SN, key_SN, -np.inf).argmax(axis=1)
        row_SR = np.concatenate([row_SR, next_S[:, None]], axis=1)
        far_SN = farthest(far_SN, distances(written.present_NV[next_S], written.present_NV))
    return row_SR


def diversity(written: Written, row_SR: Rows) -> float:
    """Mean Jaccard distance between the responses of a set, over its pairs and all sets."""
    first, second = np.triu_indices(row_SR.shape[1], 1)
    present_SRV = written.present_NV[row_SR]
    found = [np.diag(distances(present_SRV[:, i], present_SRV[:, j])).mean()
             for i, j in zip(first, second, strict=True)]  # fmt: skip
    return float(np.mean(found))


def length_gap(written: Written, row_SR: Rows, chosen: int) -> float:
    """Mean length of the right responses less that of the wrong ones, SDs of the prompt's."""
    length_SR = _standardized(written.length_N)[row_SR]
    return float(length_SR[:, :chosen].mean() - length_SR[:, chosen:].mean())
