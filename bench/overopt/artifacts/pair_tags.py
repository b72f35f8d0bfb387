"""Tags of pairs that are known before gold is asked: what kind of pair it is."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedModel

from overopt.models.logprobs import score_logps
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]


class Pairs(NamedTuple):
    """P prompts with two responses each."""

    prompts: Tokens
    a: Tokens
    b: Tokens


def measure(pairs: Pairs, policy: PreTrainedModel) -> dict[str, Floats]:
    """Numbers (P,) that tags are cut from.

    prompt: tokens of the prompt. length: of both responses. unequal: difference of their lengths.
    overlap: share of the words of either that both have. logp: log-probability of both responses
    by the initial policy, nats. unlikely: how far apart these are.
    """
    length_2P = np.stack([pairs.a.length_N, pairs.b.length_N]).astype(np.float64)
    logp_2P = np.stack(
        [
            score_logps(policy, pairs.prompts, side).sum(axis=1, dtype=np.float64)
            for side in (pairs.a, pairs.b)
        ]
    )
    return {
        "prompt": pairs.prompts.length_N.astype(np.float64),
        "length": length_2P.sum(axis=0),
        "unequal": np.abs(length_2P[0] - length_2P[1]),
        "overlap": overlap(pairs.a, pairs.b),
        "logp": logp_2P.sum(axis=0),
        "unlikely": np.abs(logp_2P[0] - logp_2P[1]),
    }


def overlap(a: Tokens, b: Tokens) -> Floats:
    """Distinct tokens that both responses of a pair have, over those that either has, (P,)."""
    shared_P = np.empty(a.rows())
    rows = zip(a.ids_NT, a.length_N, b.ids_NT, b.length_N, strict=True)
    for row, (one_T, one, other_T, other) in enumerate(rows):
        words, others = set(one_T[:one].tolist()), set(other_T[:other].tolist())
        shared_P[row] = len(words & others) / max(1, len(words | others))
    return shared_P


def thirds(value_P: Floats, of_P: Floats) -> npt.NDArray[np.bool_]:
    """In which third of the values ``of_P`` each value lies, bool (P, 3)."""
    low, high = np.quantile(of_P, [1 / 3, 2 / 3])
    third_P = (value_P > low).astype(int) + (value_P > high)
    return np.asarray(third_P[:, None] == np.arange(3), np.bool_)


def categories(kinds: ModuleType | None, world: World, prompts: Tokens) -> npt.NDArray[np.bool_]:
    """The category of each prompt, bool (P, G); G = 0 in a world without any."""
    if kinds is None:
        return np.zeros((prompts.rows(), 0), dtype=np.bool_)
    category_P: npt.NDArray[np.int64] = kinds.categorize(world, prompts)
    return np.asarray(category_P[:, None] == np.arange(int(kinds.CATEGORIES)), np.bool_)


def tags(
    measured: Mapping[str, Floats], of: Mapping[str, Floats], category_PG: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """All tags of P pairs, bool (P, F): categories, and thirds of each number among ``of``."""
    cut = [thirds(value_P, of[name]) for name, value_P in measured.items()]
    return np.concatenate([category_PG, *cut], axis=1)
