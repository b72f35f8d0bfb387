"""Some samples of the initial policy for each prompt, out of its pool: the first look at a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.tables import Table, write_table
from overopt.execution.contract import Progress


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Copy the first ``per_prompt`` samples of each prompt, with step 0 and without their gold.

    ``reference_logp`` comes along: minus its mean is the entropy of the initial policy, nats.
    """
    table = Table(inputs["pool"] / "samples.parquet")
    row_N = np.flatnonzero(table.integers("sample_id") < int(params["per_prompt"]))
    write_table(
        out / "samples.parquet",
        {
            "step": np.zeros(len(row_N), dtype=np.int32),
            "prompt_id": table.integers("prompt_id")[row_N].astype(np.int32),
            "sample_id": table.integers("sample_id")[row_N].astype(np.int32),
            "response": table.tokens("response").take(row_N),
            "reference_logp": table.floats("reference_logp")[row_N],
        },
    )
