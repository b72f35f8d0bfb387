"""Scores of one proxy over several rounds: the mean of what each round's gives to the samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.tables import Column, Table, write_table
from overopt.execution.contract import Progress


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Average the inputs ``score.<j>`` row by row.

    params: ``rounds``, how many.

    Raises:
        ValueError: they are scores of different samples.
    """
    tables = [
        Table(inputs[f"score.{number}"] / "scores.parquet")
        for number in range(1, int(params["rounds"]) + 1)
    ]
    columns: dict[str, Column] = {}
    for name in tables[0].columns:
        if name == "score":
            continue
        columns[name] = tables[0].integers(name)
        if any(not np.array_equal(one.integers(name), columns[name]) for one in tables[1:]):
            raise ValueError(f"scores of several rounds differ in {name}")
    columns["score"] = np.mean([one.floats("score") for one in tables], axis=0)
    write_table(out / "scores.parquet", columns)
