"""Prompts of a world that no submission has seen, and what policies do there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2, ttest_ind

from overopt.errors import UserError
from overopt.spec.world import WorldSpec
from overopt.worlds.contract import World, build
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]
_DEALS = 4999


def hidden_prompts(
    spec: WorldSpec, world: World, count: int, generator: np.random.Generator
) -> Tokens | None:
    """Prompts that are neither trained on nor held out, at random; None where there are too few.

    Worlds give their prompts a random order and take held-out ones from its end, so that all of
    them are alike.

    Args:
        spec: of the world.
        world: as the entry has it.
        count: how many at most.
        generator: chooses among all that a world has in reserve.
    """
    for more in (count, count // 2, count // 4, count // 8):
        try:
            larger = build(spec.model_copy(update={"heldout_prompts": spec.heldout_prompts + more}))
        except UserError:
            continue  # the world has fewer prompts
        known = {
            ids.tobytes()
            for prompts in (world.train_prompts, world.heldout_prompts)
            for ids in _rows(prompts)
        }
        fresh = [
            n for n, ids in enumerate(_rows(larger.heldout_prompts)) if ids.tobytes() not in known
        ]
        if len(fresh) >= 4:
            chosen = generator.permutation(np.array(fresh))[:count]
            return larger.heldout_prompts.take(np.sort(chosen))
    return None


def _rows(tokens: Tokens) -> list[npt.NDArray[np.int32]]:
    return [ids_T[:length] for ids_T, length in zip(tokens.ids_NT, tokens.length_N, strict=True)]


class Shown(NamedTuple):
    """What one world's policies do, prompt by prompt, mean over policies.

    gain: gold above the initial policy's, SDs; kl: nats. Claimed on held-out prompts, found on
    hidden ones.
    """

    gain_claimed_B: Floats
    gain_found_H: Floats
    kl_claimed_B: Floats
    kl_found_H: Floats


def judge_hidden(worlds: Sequence[Shown]) -> tuple[float, float]:
    """p values, one-sided: gold claimed too high, and KL claimed too low, for other prompts.

    Prompts are the units: held-out and hidden ones are alike, so that an honest policy does the
    same on both. What was trained on the held-out prompts does not. In each world p is the larger
    of Welch's, which allows for values that were measured on other numbers of samples, and of a
    permutation of prompts, which allows for skewed ones. Worlds are independent, and their p values
    are joined by Fisher's -2 sum log p, which has chi-squared distribution with 2 x worlds degrees
    of freedom: a world whose claims are too modest adds nothing, and so hides nothing.
    """
    p_W2 = np.array(
        [
            (
                _p_larger(shown.gain_claimed_B, shown.gain_found_H),
                _p_larger(-shown.kl_claimed_B, -shown.kl_found_H),
            )
            for shown in worlds
        ]
    )
    gold, kl = chi2.sf(-2 * np.log(p_W2).sum(axis=0), 2 * len(p_W2))
    return float(gold), float(kl)


def _p_larger(claimed_B: Floats, found_H: Floats) -> float:
    """p that the claimed mean is no larger; 1 where nothing varies."""
    every = np.concatenate([claimed_B, found_H])
    if every.std() < 1e-12:
        return 1.0
    welch = ttest_ind(claimed_B, found_H, equal_var=False, alternative="greater").pvalue
    # the mean of the claimed ones, given all of them, says the same as the difference of means
    rng = np.random.default_rng(0)
    dealt_R = rng.permuted(np.tile(every, (_DEALS, 1)), axis=1)[:, : len(claimed_B)].mean(axis=1)
    at_least = int((dealt_R >= claimed_B.mean() - 1e-12).sum())
    return float(max(np.nan_to_num(welch, nan=1.0), (1 + at_least) / (1 + _DEALS)))
