"""Writes and reads what labels say beside the preference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.artifacts.tables import Column, Table, read_json, write_json, write_table

_TERM = "term:"


Values = npt.NDArray[np.float32] | npt.NDArray[np.int64] | npt.NDArray[np.bool_]


class LabelColumns(NamedTuple):
    """Columns of P pairs by name, as a loss sees them, and how many kinds or numbers each has."""

    values: Mapping[str, Values]
    sizes: Mapping[str, int]


NO_COLUMNS = LabelColumns({}, {})


def write_columns(out: Path, columns: Mapping[str, Column], sizes: Mapping[str, int]) -> None:
    """Write columns of the pairs as they lie; terms say whether the first response is better."""
    write_table(out / "columns.parquet", columns)
    write_json(out / "columns.json", {"sizes": dict(sizes)})


def load_columns(folder: Path, labels: Path) -> LabelColumns:
    """The columns of a folder, with terms turned to the side that the labels prefer."""
    table = Table(folder / "columns.parquet")
    sizes = read_json(folder / "columns.json")["sizes"]
    values: dict[str, Values] = {}
    if "category" in sizes:
        values["category"] = table.integers("category")
    if "strength" in sizes:
        values["strength"] = table.floats("strength").astype(np.float32)
    if "annotator" in sizes:
        values["annotator"] = table.integers("annotator")
    if "clean" in sizes:
        values["clean"] = table.integers("clean").astype(bool)
    if "terms" in sizes:
        first_P = Table(labels / "labels.parquet").integers("a_preferred").astype(bool)
        names = [name for name in table.columns if name.startswith(_TERM)]
        better_PK = np.stack([table.integers(name) for name in names], axis=1)
        values["terms"] = np.where(first_P[:, None], better_PK, -better_PK).astype(np.float32)
    return LabelColumns(values, {name: int(size) for name, size in sizes.items()})
