"""Draws from the responses of a pool, as from an initial policy, and the units of its gold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import write_json, write_table
from overopt.execution.contract import Progress
from overopt.worlds.contract import stop_ids, world_of
from overopt.worlds.pool.world import PoolWorld
from overopt.worlds.tokens import concatenate


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Draw ``samples_per_prompt`` responses to each held-out prompt uniformly, with replacement.

    Mean and SD of the gold are those of the law itself, every prompt counted alike.
    """
    world = world_of(params)
    assert isinstance(world, PoolWorld)
    samples, prompts = int(params["samples_per_prompt"]), world.heldout_prompts.rows()
    rng = numpy_rng(int(params["seed"]), "pool")
    given, gold = world.heldout_responses, world.heldout_gold
    drawn = [rng.integers(one.rows(), size=samples) for one in given]
    write_table(
        out / "samples.parquet",
        {
            "prompt_id": np.repeat(np.arange(prompts, dtype=np.int32), samples),
            "sample_id": np.tile(np.arange(samples, dtype=np.int32), prompts),
            "response": concatenate(
                [one.take(row_N) for one, row_N in zip(given, drawn, strict=True)]
            ),
            "reference_logp": np.repeat([-np.log(float(one.rows())) for one in given], samples),
            "gold": np.concatenate(
                [gold_R[row_N] for gold_R, row_N in zip(gold, drawn, strict=True)]
            ),
        },
    )
    mean = float(np.mean([gold_R.mean() for gold_R in gold]))
    square = float(np.mean([np.square(gold_R - mean).mean() for gold_R in gold]))
    if square == 0:
        raise ValueError("the table gives every response the same gold score")
    ends = [one.ends_with(stop_ids(world)).mean() for one in given]
    write_json(
        out / "summary.json",
        {
            "gold_mean": mean,
            "gold_sd": float(np.sqrt(square)),
            "finished_fraction": float(np.mean(ends)),
            "stop_ids": list(stop_ids(world)),
            "length_mean_tokens": float(np.mean([one.length_N.mean() for one in given])),
        },
    )
