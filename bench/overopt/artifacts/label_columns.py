"""Writes and reads what labels say beside the preference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.artifacts.tables import Column, Table, read_json, write_json, write_table

_TERM, _RATING = "term:", ("rating_a:", "rating_b:")


Values = npt.NDArray[Any]
"""Whole numbers, single-precision ones or flags."""


class LabelColumns(NamedTuple):
    """Columns of P pairs by name, as a loss sees them, and how many kinds or numbers each has."""

    values: Mapping[str, Values]
    sizes: Mapping[str, int]


NO_COLUMNS = LabelColumns({}, {})


def write_columns(out: Path, columns: Mapping[str, Column], sizes: Mapping[str, int]) -> None:
    """Write columns of the pairs as they lie; terms say whether the first response is better.

    ``term:<name>`` is 1, 0 or -1, ``rating_a:<name>`` and ``rating_b:<name>`` are the sides'.
    """
    write_table(out / "columns.parquet", columns)
    write_json(out / "columns.json", {"sizes": dict(sizes)})


def load_columns(folder: Path, labels: Path) -> LabelColumns:
    """The columns of a folder, with terms and ratings turned to the side that labels prefer."""
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
    first_P = Table(labels / "labels.parquet").integers("a_preferred").astype(bool)
    if "ratings" in sizes:
        sides = [
            [table.floats(name) for name in table.columns if name.startswith(mark)]
            for mark in _RATING
        ]
        rating_P2K = np.array(sides).transpose(2, 0, 1)
        turned_P2K = np.where(first_P[:, None, None], rating_P2K, rating_P2K[:, ::-1])
        values["ratings"] = turned_P2K.astype(np.float32)
    if "outcomes" in sizes:
        of_a_P, of_b_P = (table.integers(f"outcome:{side}").astype(np.float32) for side in "ab")
        pair_P2 = np.stack([of_a_P, of_b_P], axis=1)
        values["outcomes"] = np.where(first_P[:, None], pair_P2, pair_P2[:, ::-1])
    if "terms" in sizes:
        names = [name for name in table.columns if name.startswith(_TERM)]
        better_PK = np.stack([table.integers(name) for name in names], axis=1)
        values["terms"] = np.where(first_P[:, None], better_PK, -better_PK).astype(np.float32)
    return LabelColumns(values, {name: int(size) for name, size in sizes.items()})
