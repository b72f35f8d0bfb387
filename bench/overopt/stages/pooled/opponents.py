"""Responses of a pool to all prompts, for proxies that compare with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.opponents import write_opponents
from overopt.artifacts.randomness import numpy_rng
from overopt.execution.contract import Progress
from overopt.worlds.contract import world_of
from overopt.worlds.pool.world import PoolWorld
from overopt.worlds.tokens import concatenate


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Draw ``per_prompt`` responses to every training and held-out prompt, with replacement.

    params: ``world``, ``per_prompt``, ``seed``.
    """
    world = world_of(params)
    assert isinstance(world, PoolWorld)
    rng, per_prompt = numpy_rng(int(params["seed"]), "opponents"), int(params["per_prompt"])
    given = [*world.train_responses, *world.heldout_responses]
    drawn = [one.take(rng.integers(one.rows(), size=per_prompt)) for one in given]
    prompts = concatenate([world.train_prompts, world.heldout_prompts])
    write_opponents(out, prompts, concatenate(drawn))
