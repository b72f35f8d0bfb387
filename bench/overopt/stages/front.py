"""The oracle front: the best gold that any policy can have at each KL from the initial policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.gold import load_gold
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.stages.enumeration import Enumeration
from overopt.stats.fronts import oracle_front, oracle_front_exact
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Trace the tilted reference pi_ref exp(gold / b) over ``kl_grid_nats``.

    Exact where the world can be enumerated, else from the pool with an effective-sample-size
    limit. Gold in SDs of the initial policy around its mean.
    """
    world = world_of(params)
    summary = read_json(inputs["pool"] / "summary.json")
    mean, sd = float(summary["gold_mean"]), float(summary["gold_sd"])
    grid = params["kl_grid_nats"]
    if world.responses is not None:
        reference = load_policy(inputs["initial"] / "model")
        exact = Enumeration(world, reference, load_gold(inputs["gold"], world))
        p_BR = np.exp(exact.reference_logp_BR)
        front = oracle_front_exact((exact.gold_BR - mean) / sd, p_BR, grid)
    else:
        table = Table(inputs["pool"] / "samples.parquet")
        prompts = int(table.integers("prompt_id").max()) + 1
        gold_BN = (table.floats("gold").reshape(prompts, -1) - mean) / sd
        front = oracle_front(gold_BN, grid)
    write_json(
        out / "front.json",
        {
            "points": [point._asdict() for point in front.points],
            "unreachable_kl_nats": list(front.unreachable_kl),
            "kl_limit_nats": front.kl_limit_nats,
            "exact": world.responses is not None,
        },
    )
