"""Gold of samples, written as a proxy's scores are: the reward of a twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.scores import identifiers
from overopt.artifacts.tables import Table, read_json, write_table
from overopt.execution.contract import Progress


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Rescale the gold of every row of ``samples`` by the mean and SD of the pool."""
    table = Table(inputs["samples"] / "samples.parquet")
    summary = read_json(inputs["pool"] / "summary.json")
    gold_N = (table.floats("gold") - summary["gold_mean"]) / summary["gold_sd"]
    write_table(out / "scores.parquet", {**identifiers(table), "score": gold_N})
