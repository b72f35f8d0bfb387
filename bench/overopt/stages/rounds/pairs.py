"""Pairs of the policy that a round ended with, not yet labeled."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.randomness import numpy_rng, torch_rng
from overopt.artifacts.tables import Column, Table, read_json, write_table
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.stages.pairs import prompts_without_repeats
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Two responses of the last policy for each pair to learn from.

    ``heldout.parquet`` is that of the first round: pairs of the initial policy judge and scale the
    proxies of every round.

    params: ``comparisons``, ``seed``; ``repeated`` where prompts are those of the first round's
    pairs, and not drawn anew.
    """
    world = world_of(params)
    seed, comparisons = int(params["seed"]), int(params["comparisons"])
    trained = read_json(inputs["optimize"] / "optimize.json")["snapshots"][-1]
    policy = load_policy(inputs["optimize"] / trained["folder"])
    if params.get("repeated"):
        first_pairs = Table(inputs["first"] / "pairs.parquet")
        prompt_id_P = first_pairs.integers("prompt_id").astype(np.int32)
    else:
        prompt_id_P = prompts_without_repeats(
            numpy_rng(seed, "pairs", "pairs"), world.train_prompts.rows(), comparisons
        )
    drawn = sample(
        policy,
        world.train_prompts.take(prompt_id_P),
        2,
        world.response_tokens_max,
        torch_rng(seed, "pairs", "pairs"),
    ).responses
    progress(0.9, f"{comparisons} pairs")
    first = np.arange(0, drawn.rows(), 2)
    columns: dict[str, Column] = {
        "prompt_id": prompt_id_P,
        "a": drawn.take(first),
        "b": drawn.take(first + 1),
    }
    write_table(out / "pairs.parquet", columns)
    shutil.copyfile(inputs["first"] / "heldout.parquet", out / "heldout.parquet")
