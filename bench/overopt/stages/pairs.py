"""Pairs of the initial policy's responses to training prompts, not yet labeled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.randomness import numpy_rng, torch_rng
from overopt.artifacts.tables import write_table
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress, part
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.worlds.contract import world_of


def prompts_without_repeats(
    rng: np.random.Generator, prompts: int, count: int
) -> npt.NDArray[np.int32]:
    """Prompt of each pair: every prompt once before any comes twice."""
    rounds = -(-count // prompts)
    order = np.concatenate([rng.permutation(prompts) for _ in range(rounds)])
    return order[:count].astype(np.int32)


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Two responses for each pair: those to learn from, and those that judge and scale proxies.

    ``pairs.parquet`` is the preference data; ``heldout.parquet`` (half of ``calibration_samples``
    pairs) is never trained on. On a hub world that says so, the responses are those of the data.
    """
    world = world_of(params)
    seed, comparisons = int(params["seed"]), int(params["comparisons"])
    heldout = int(params["calibration_samples"]) // 2
    if params["responses"] == "data":
        draw_pairs = load("worlds", "hub.pairs").draw_pairs
        drawn_of = draw_pairs(world, comparisons, heldout, numpy_rng(seed, "pairs", "data"))
        for name, columns in drawn_of.items():
            write_table(out / f"{name}.parquet", columns)
        return
    policy = load_policy(inputs["initial"] / "model")
    for name, count, told in (
        ("pairs", comparisons, part(progress, 0, 0.7)),
        ("heldout", heldout, part(progress, 0.7, 1)),
    ):
        prompt_id_P = prompts_without_repeats(
            numpy_rng(seed, "pairs", name), world.train_prompts.rows(), count
        )
        drawn = sample(
            policy,
            world.train_prompts.take(prompt_id_P),
            2,
            world.response_tokens_max,
            torch_rng(seed, "pairs", name),
        ).responses
        told(1.0, f"{count} {name}")
        first = np.arange(0, drawn.rows(), 2)
        write_table(
            out / f"{name}.parquet",
            {"prompt_id": prompt_id_P, "a": drawn.take(first), "b": drawn.take(first + 1)},
        )
