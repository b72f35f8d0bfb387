"""Pairs of the initial policy's responses to training prompts, not yet labeled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.randomness import numpy_rng, torch_rng
from overopt.artifacts.tables import write_table
from overopt.errors import UserError
from overopt.execution.contract import Progress, part
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.spec.world import WorldSpec
from overopt.worlds.contract import build
from overopt.worlds.hub.world import HubWorld
from overopt.worlds.tokens import concatenate


def _prompts_without_repeats(
    rng: np.random.Generator, prompts: int, count: int
) -> npt.NDArray[np.int32]:
    """Prompt of each pair: every prompt once before any comes twice."""
    rounds = -(-count // prompts)
    order = np.concatenate([rng.permutation(prompts) for _ in range(rounds)])
    return order[:count].astype(np.int32)


def _write_data_pairs(params: dict[str, Any], world: HubWorld, out: Path) -> None:
    """Pairs of the data, each once: the held-out ones apart, sides in random order."""
    known = world.pairs
    count, heldout = int(params["comparisons"]), int(params["calibration_samples"]) // 2
    if count + heldout > len(known.prompt_id_P):
        raise UserError(
            f"the data has {len(known.prompt_id_P)} pairs of training prompts, not the {count} "
            f"comparisons and {heldout} held-out pairs that are asked for; raise "
            "world.train_prompts, or lower proxy.comparisons or proxy.calibration_samples."
        )
    rng = numpy_rng(int(params["seed"]), "pairs", "data")
    order = rng.permutation(len(known.prompt_id_P))
    for name, rows in (("pairs", order[:count]), ("heldout", order[count : count + heldout])):
        first_P = rng.random(len(rows)) < 0.5
        both = concatenate([known.chosen.take(rows), known.rejected.take(rows)])
        here = np.arange(len(rows))
        write_table(
            out / f"{name}.parquet",
            {
                "prompt_id": known.prompt_id_P[rows],
                "a": both.take(np.where(first_P, here, here + len(rows))),
                "b": both.take(np.where(first_P, here + len(rows), here)),
                "data_prefers_a": first_P,
            },
        )


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Two responses for each pair: those to learn from, and those that judge and scale proxies.

    ``pairs.parquet`` is the preference data; ``heldout.parquet`` (half of ``calibration_samples``
    pairs) is never trained on. On a hub world that says so, the responses are those of the data.
    """
    world_spec = WorldSpec.model_validate(params["world"])
    world = build(world_spec)
    if world_spec.hub is not None and world_spec.hub.pairs == "data":
        assert isinstance(world, HubWorld)
        _write_data_pairs(params, world, out)
        return
    policy = load_policy(inputs["initial"] / "model")
    seed = int(params["seed"])
    heldout = int(params["calibration_samples"]) // 2
    for name, count, told in (
        ("pairs", int(params["comparisons"]), part(progress, 0, 0.7)),
        ("heldout", heldout, part(progress, 0.7, 1)),
    ):
        prompt_id_P = _prompts_without_repeats(
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
