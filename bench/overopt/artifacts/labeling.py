"""How pairs become preference data: gold scores of both sides, and labels through noise."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.artifacts.tables import Table, write_table
from overopt.spec.noise import NoiseSpec
from overopt.worlds.contract import Gold, World
from overopt.worlds.tokens import Tokens

_HEAVY_TAIL_DEGREES_OF_FREEDOM = 2.0


def prefer_a(
    difference_P: npt.NDArray[np.float64], noise: NoiseSpec, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Whether the label says that the first response of each pair is better.

    Exact ties of the gold are settled by a fair coin before any noise.

    Args:
        difference_P: gold(a) - gold(b), in SDs of the initial policy.
        noise: kind and amount; see ``NoiseSpec``.
        rng: generator; every kind of noise starts from the same state.

    Reference: Coste et al., "Reward Model Ensembles Help Mitigate Overoptimization",
        https://arxiv.org/abs/2310.02743, relabel 50 % of the rows at random, which is
        ``random:0.5`` here: a quarter of the labels end up flipped.
    """
    pairs = len(difference_P)
    coin_P = rng.random(pairs) < 0.5
    first_P = np.where(difference_P == 0, coin_P, difference_P > 0)
    if noise.kind == "flip":
        flipped = rng.permutation(pairs)[: round(noise.amount * pairs)]
        first_P[flipped] = ~first_P[flipped]
    elif noise.kind == "random":
        redone = rng.permutation(pairs)[: round(noise.amount * pairs)]
        first_P[redone] = rng.random(len(redone)) < 0.5
    elif noise.kind == "bt":
        with np.errstate(over="ignore"):
            chance_P = 1 / (1 + np.exp(-difference_P / noise.amount))
        first_P = rng.random(pairs) < chance_P
    else:
        error_P2 = rng.standard_t(_HEAVY_TAIL_DEGREES_OF_FREEDOM, size=(pairs, 2))
        noisy_P = difference_P + noise.amount * (error_P2[:, 0] - error_P2[:, 1])
        first_P = noisy_P > 0
    return first_P


class ScoredPairs(NamedTuple):
    """Pairs of one file of a ``pairs`` artifact with the gold's raw scores."""

    prompt_id_P: npt.NDArray[np.int64]
    a: Tokens
    b: Tokens
    gold_a_P: npt.NDArray[np.float64]
    gold_b_P: npt.NDArray[np.float64]

    def write(self, path: Path, first_P: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Write the pairs with their labels; returns which labels contradict the gold."""
        wrong_P = np.where(first_P, self.gold_a_P < self.gold_b_P, self.gold_b_P < self.gold_a_P)
        write_table(
            path,
            {
                "prompt_id": self.prompt_id_P,
                "a": self.a,
                "b": self.b,
                "a_preferred": first_P,
                "gold_a": self.gold_a_P,
                "gold_b": self.gold_b_P,
                "flipped": wrong_P,
            },
        )
        return wrong_P


def score_pairs(path: Path, world: World, gold: Gold) -> ScoredPairs:
    """The pairs of a file of a ``pairs`` artifact, with what gold says of both sides."""
    table = Table(path)
    prompt_id_P = table.integers("prompt_id")
    prompts = world.train_prompts.take(prompt_id_P)
    a, b = table.tokens("a"), table.tokens("b")
    return ScoredPairs(prompt_id_P, a, b, gold(prompts, a), gold(prompts, b))
