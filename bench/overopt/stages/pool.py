"""A large pool of the initial policy's responses to the held-out prompts, with gold scores.

It is the common yardstick: it recenters and scales the gold, it is what best-of-n selects from,
what win rates compare against, and what the oracle front reweights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.gold import load_gold
from overopt.artifacts.randomness import torch_rng
from overopt.artifacts.tables import write_json, write_table
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.worlds.contract import stop_ids, world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Sample, score by gold, and record the gold's mean and SD under the initial policy."""
    world = world_of(params)
    policy = load_policy(inputs["initial"] / "model")
    gold = load_gold(inputs["gold"], world)
    samples = int(params["samples_per_prompt"])
    prompts = world.heldout_prompts
    drawn = sample(
        policy,
        prompts,
        samples,
        world.response_tokens_max,
        torch_rng(int(params["seed"]), "pool"),
    )
    progress(0.8, "gold scores")
    prompt_id_N = np.repeat(np.arange(prompts.rows(), dtype=np.int32), samples)
    gold_N = gold(prompts.take(prompt_id_N), drawn.responses)
    write_table(
        out / "samples.parquet",
        {
            "prompt_id": prompt_id_N,
            "sample_id": np.tile(np.arange(samples, dtype=np.int32), prompts.rows()),
            "response": drawn.responses,
            "reference_logp": drawn.logp_NT.sum(axis=1, dtype=np.float64),
            "gold": gold_N,
        },
    )
    sd = float(gold_N.std(ddof=1))
    if sd == 0:
        raise ValueError("the gold gives every response of the initial policy the same score")
    write_json(
        out / "summary.json",
        {
            "gold_mean": float(gold_N.mean()),
            "gold_sd": sd,
            "finished_fraction": float(drawn.responses.ends_with(stop_ids(world)).mean()),
            "stop_ids": list(stop_ids(world)),
            "length_mean_tokens": float(drawn.responses.length_N.mean()),
        },
    )
