"""Every response of a pool to the held-out prompts, with the gold of the table.

The reference is the uniform law over a prompt's responses, one for each row of the table, so that
what a method that chooses among them does is exact. Equal texts of several sources are several
rows: the law counts them as often as they occur.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.tables import write_table
from overopt.execution.contract import Progress
from overopt.worlds.contract import world_of
from overopt.worlds.pool.world import PoolWorld
from overopt.worlds.tokens import concatenate

NEVER_LOGP = -1e9
"""Log-probability of a row that is there for the table's shape only: its probability is 0."""


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write equally many rows for each prompt.

    A prompt with fewer responses than others has its first one again, with probability 0.
    """
    world = world_of(params)
    assert isinstance(world, PoolWorld)
    given = world.heldout_responses
    most = max(one.rows() for one in given)
    row_BR = [np.where(np.arange(most) < one.rows(), np.arange(most), 0) for one in given]
    law_BR = [
        np.where(np.arange(most) < one.rows(), -np.log(one.rows()), NEVER_LOGP) for one in given
    ]
    gold_BR = [gold_R[row_R] for gold_R, row_R in zip(world.heldout_gold, row_BR, strict=True)]
    write_table(
        out / "samples.parquet",
        {
            "prompt_id": np.repeat(np.arange(len(given), dtype=np.int32), most),
            "sample_id": np.tile(np.arange(most, dtype=np.int32), len(given)),
            "response": concatenate(
                [one.take(row_R) for one, row_R in zip(given, row_BR, strict=True)]
            ),
            "reference_logp": np.concatenate(law_BR),
            "gold": np.concatenate(gold_BR),
        },
    )
