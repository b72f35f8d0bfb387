"""Reads the sets of an exam, as rows of the pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overopt.artifacts.tables import Table, read_json
from overopt.stats.arrays import Ints


class Sets(NamedTuple):
    """The sets of one design.

    row_SR: rows of the pool, (S, R). prompt_S: prompt of each set. known: of ``sets.json``.
    """

    row_SR: Ints
    prompt_S: Ints
    known: dict[str, Any]


def read_sets(folder: Path) -> dict[str, Sets]:
    """By the design's name; those without a set are left out."""
    table, designs = Table(folder / "sets.parquet"), read_json(folder / "sets.json")["designs"]
    columns = {name: table.integers(name) for name in table.columns}
    found = {}
    for number, known in enumerate(designs):
        of_N = np.flatnonzero(columns["design"] == number)
        if len(of_N):
            size = int(columns["place"][of_N].max()) + 1
            row_SR = columns["row"][of_N].reshape(-1, size)
            found[known["name"]] = Sets(row_SR, columns["prompt_id"][of_N][::size], known)
    return found


def mark_row(exam: str, of: str, value: float, number: int) -> dict[str, str | float | int]:
    """One line of an exam's result: of what, which number, and over how many sets or pairs."""
    return {"exam": exam, "of": of, "value": value, "number": number}
