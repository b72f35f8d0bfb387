"""Preference data of several rounds, one behind the other."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from overopt.artifacts.tables import read_json, write_json
from overopt.execution.contract import Progress


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Labels of earlier rounds, then those of the last; held-out pairs are the same in all."""
    earlier, fresh = (inputs[role] / "labels.parquet" for role in ("earlier", "fresh"))
    tables = [pq.read_table(path, page_checksum_verification=True) for path in (earlier, fresh)]
    joined = pa.concat_tables(tables)
    pq.write_table(joined, out / "labels.parquet", compression="zstd", write_page_checksum=True)
    shutil.copyfile(inputs["fresh"] / "heldout.parquet", out / "heldout.parquet")
    write_json(out / "labels.json", tell(inputs))


def tell(inputs: Mapping[str, Path]) -> dict[str, Any]:
    """The record of both: counts added, the flip rate over all pairs that gold decides."""
    records = [read_json(inputs[role] / "labels.json") for role in ("earlier", "fresh")]
    comparisons = sum(int(record["comparisons"]) for record in records)
    ties = sum(int(record["ties_of_gold"]) for record in records)
    flipped = sum(
        (record["comparisons"] - record["ties_of_gold"]) * (record["realized_flip_rate"] or 0.0)
        for record in records
    )
    decided = comparisons - ties
    return {
        "noise": records[-1]["noise"],
        "comparisons": comparisons,
        "ties_of_gold": ties,
        "realized_flip_rate": flipped / decided if decided else None,
    }
