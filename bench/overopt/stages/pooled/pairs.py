"""Pairs of a pool's responses to training prompts, not yet labeled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import write_table
from overopt.errors import UserError
from overopt.execution.contract import Progress
from overopt.worlds.contract import world_of
from overopt.worlds.pool.world import PoolWorld
from overopt.worlds.tokens import Tokens, concatenate

HELD_OUT = 5
"""One training prompt in so many has held-out pairs, which no proxy learns from, and no others."""


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Two responses that differ for each pair, drawn uniformly among those to its prompt.

    Every prompt has a pair before any has a second one. ``heldout.parquet`` (half of
    ``calibration_samples`` pairs) is of other training prompts than ``pairs.parquet``.

    Raises:
        UserError: all prompts of a kind have equal responses only.
    """
    world = world_of(params)
    assert isinstance(world, PoolWorld)
    seed = int(params["seed"])
    number = np.arange(world.train_prompts.rows())
    for name, count, mine in (
        ("pairs", int(params["comparisons"]), number[number % HELD_OUT != 0]),
        ("heldout", int(params["calibration_samples"]) // 2, number[number % HELD_OUT == 0]),
    ):
        rng = numpy_rng(seed, "pairs", name)
        several = [at for at in mine if len(_distinct(world.train_responses[at])) > 1]
        if not several:
            raise UserError(
                f"world.train_prompts: no prompt for {name} has two responses that differ within "
                "world.pool.response_tokens; raise one of these."
            )
        order = [rng.permutation(several) for _ in range(-(-count // len(several)))]
        prompt_id_P = np.concatenate(order)[:count].astype(np.int32)
        drawn = [
            world.train_responses[at].take(
                rng.choice(_distinct(world.train_responses[at]), size=2, replace=False)
            )
            for at in prompt_id_P
        ]
        both = concatenate(drawn)
        first = np.arange(0, both.rows(), 2)
        write_table(
            out / f"{name}.parquet",
            {"prompt_id": prompt_id_P, "a": both.take(first), "b": both.take(first + 1)},
        )


def _distinct(responses: Tokens) -> npt.NDArray[np.int64]:
    """The first row of every text among the responses."""
    _, first = np.unique(responses.ids_NT, axis=0, return_index=True)
    return np.sort(first)
