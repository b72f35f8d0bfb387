"""What a flawed labeler sees of pairs: gold, and what should not please but does."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.labeling import ScoredPairs
from overopt.execution.code.modules import load
from overopt.spec.flaw import FlawSpec
from overopt.worlds.contract import World, render
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]

WORDS = 3
"""Words that please a lexical labeler."""
_COMMON = (0.05, 0.5)
"""Shares of the responses between which a word is neither rare nor everywhere."""


def pleased(
    flaw: FlawSpec, pairs: ScoredPairs, world: World, kind: str, sd: float, rng: np.random.Generator
) -> tuple[Floats, dict[str, Any]]:
    """What a flaw adds to the difference that the labeler sees, (P,), in SDs, and what is told.

    length, lexical, praise: dose x (feature of the first response - that of the second) / SD of
    the feature over all responses; nothing where all have the same. blind-spot: -dose x the term's
    difference. Other flaws add nothing here.

    Args:
        flaw: which, and its dose.
        pairs: P pairs.
        world: of the pairs. kind: its kind, whose module ``flaws`` knows praise and the term.
        sd: of the gold under the initial policy.
        rng: chooses the words that please.
    """
    nothing = np.zeros(len(pairs.prompt_id_P))
    if flaw.name == "blind-spot":
        term = str(_of(kind).BLIND_SPOT)
        prompts = world.train_prompts.take(pairs.prompt_id_P)
        a_P, b_P = (world.gold_terms(prompts, side)[term] for side in (pairs.a, pairs.b))
        return -flaw.dose * (a_P - b_P) / sd, {"term": term}
    told: dict[str, Any] = {}
    if flaw.name == "length":
        a_P, b_P = (side.length_N.astype(np.float64) for side in (pairs.a, pairs.b))
    elif flaw.name == "praise":
        a_P, b_P = (_of(kind).praise(world, side) for side in (pairs.a, pairs.b))
    elif flaw.name == "lexical":
        ids = pleasing_words((pairs.a, pairs.b), rng)
        a_P, b_P = (occurrences(side, ids) for side in (pairs.a, pairs.b))
        told["words"] = render(world, Tokens.from_flat(ids, np.ones(len(ids), dtype=np.int32)))
    else:
        return nothing, told
    spread = float(np.concatenate([a_P, b_P]).std())
    told["feature_sd"] = spread
    return (flaw.dose * (a_P - b_P) / spread if spread > 0 else nothing), told


def pleasing_words(sides: tuple[Tokens, Tokens], rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """Ids of words, ascending, drawn among those that some but not most responses hold.

    Special tokens are no words. Where too few are as common as that, the nearest to it are added.
    """
    used = max(int(side.ids_NT.max(initial=0)) for side in sides) + 1
    holds_V = np.zeros(used)
    for side in sides:
        for ids_T, length in zip(side.ids_NT, side.length_N, strict=True):
            holds_V[np.unique(ids_T[:length])] += 1
    share_V = holds_V / max(1, sum(side.rows() for side in sides))
    share_V[:4] = 0.0
    low, high = _COMMON
    fitting = rng.permutation(np.flatnonzero((share_V >= low) & (share_V <= high)))
    others = [v for v in np.argsort(np.abs(share_V - low)) if v > 3 and v not in fitting]
    return np.sort(np.array([*fitting, *others][:WORDS], dtype=np.int32))


def occurrences(responses: Tokens, ids: npt.NDArray[np.int32]) -> Floats:
    """How often any of the words occurs in each response, (N,)."""
    count_N: Floats = (np.isin(responses.ids_NT, ids) & responses.mask_NT).sum(axis=1).astype(float)
    return count_N


def _of(kind: str) -> ModuleType:
    return load("worlds", f"{kind}.flaws")
