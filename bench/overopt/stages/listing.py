"""Every response to the held-out prompts, in a world that lists them: probability and gold.

What a selection method does is exact there, and shows what a pool of samples cannot: a tail that
was never drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.gold import load_gold
from overopt.artifacts.tables import write_table
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.stages.shown.enumeration import Enumeration
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write a row for each pair of prompt and response, like those of the pool."""
    world = world_of(params)
    assert world.responses is not None
    reference = load_policy(inputs["initial"] / "model")
    exact = Enumeration(world, reference, load_gold(inputs["gold"], world))
    prompts, rows = exact.reference_logp_BR.shape
    write_table(
        out / "samples.parquet",
        {
            "prompt_id": np.repeat(np.arange(prompts, dtype=np.int32), rows),
            "sample_id": np.tile(np.arange(rows, dtype=np.int32), prompts),
            "response": world.responses.take(np.tile(np.arange(rows), prompts)),
            "reference_logp": exact.reference_logp_BR.ravel().astype(np.float64),
            "gold": exact.gold_BR.ravel(),
        },
    )
