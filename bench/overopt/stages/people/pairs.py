"""Pairs of responses to a part of the training prompts only, not yet labeled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.randomness import numpy_rng, torch_rng
from overopt.artifacts.tables import write_json, write_table
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress, part
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.spec.flaw import FlawSpec
from overopt.worlds.contract import World, world_of


def covered(flaw: FlawSpec, world: World, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Rows of the training prompts that have pairs: all but the flaw's share of them.

    Kinds of prompts are left out one after the other, in random order; the last one in part.
    """
    category_N = load("worlds", f"{kind}.categories").categorize(world, world.train_prompts)
    left_out = rng.permutation(int(category_N.max()) + 1)
    order = np.argsort(left_out[category_N], kind="stable")
    return np.sort(order[min(round(flaw.dose * len(order)), len(order) - 1) :])


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Sample pairs as the stage ``pairs`` does; only the held-out ones are of all prompts.

    params: ``world``, ``comparisons``, ``calibration_samples``, ``flaw`` (FlawSpec), ``seed``.
    """
    world, seed = world_of(params), int(params["seed"])
    policy = load_policy(inputs["initial"] / "model")
    flaw, given = FlawSpec.model_validate(params["flaw"]), params["world"]
    rng = numpy_rng(int(given["seed"]), "flaw", flaw.name)
    rows = covered(flaw, world, str(given["kind"]), rng)
    write_json(out / "coverage.json", {"prompts": len(rows)})
    for name, count, of, told in (
        ("pairs", int(params["comparisons"]), rows, part(progress, 0, 0.7)),
        (
            "heldout",
            int(params["calibration_samples"]) // 2,
            np.arange(world.train_prompts.rows()),
            part(progress, 0.7, 1),
        ),
    ):
        draws = numpy_rng(seed, "pairs", name)
        rounds = -(-count // len(of))
        order = np.concatenate([draws.permutation(len(of)) for _ in range(rounds)])
        prompt_id_P = of[order[:count]].astype(np.int32)
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
