"""The first responses to each prompt of a pool: what recenters a proxy that selects nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.tables import Table, write_table
from overopt.execution.contract import Progress


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Keep the first ``samples_per_prompt`` responses to each prompt, with their identifiers."""
    table = Table(inputs["pool"] / "samples.parquet")
    row_N = np.flatnonzero(table.integers("sample_id") < int(params["samples_per_prompt"]))
    write_table(
        out / "samples.parquet",
        {
            "prompt_id": table.integers("prompt_id")[row_N].astype(np.int32),
            "sample_id": table.integers("sample_id")[row_N].astype(np.int32),
            "response": table.tokens("response").take(row_N),
        },
    )
