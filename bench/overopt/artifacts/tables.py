"""Parquet and JSON files inside artifacts: token lists, numbers, and nothing that is not finite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from overopt.worlds.tokens import Tokens

Column = npt.NDArray[Any] | Tokens


def write_table(path: Path, columns: Mapping[str, Column]) -> None:
    """Write columns of equal length; Tokens become ``list<int32>``. Bytes are deterministic.

    Raises:
        FloatingPointError: a float column holds NaN or infinity.
    """
    arrays: dict[str, pa.Array] = {}
    for name, column in columns.items():
        if isinstance(column, Tokens):
            offsets = np.zeros(column.rows() + 1, dtype=np.int32)
            np.cumsum(column.length_N, out=offsets[1:])
            arrays[name] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(column.flat()))
            continue
        if np.issubdtype(column.dtype, np.floating) and not np.isfinite(column).all():
            raise FloatingPointError(f"{path.name}: column {name} holds NaN or infinity")
        arrays[name] = pa.array(column)
    pq.write_table(pa.table(arrays), path, compression="zstd", write_page_checksum=True)


class Table:
    """A Parquet file read whole."""

    def __init__(self, path: Path) -> None:
        self._table = pq.read_table(path, page_checksum_verification=True)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._table.column_names)

    def floats(self, name: str) -> npt.NDArray[np.float64]:
        """A numeric column as float64."""
        return np.asarray(self._table[name].to_numpy(), dtype=np.float64)

    def integers(self, name: str) -> npt.NDArray[np.int64]:
        """An integer or boolean column as int64."""
        return np.asarray(self._table[name].to_numpy(), dtype=np.int64)

    def tokens(self, name: str) -> Tokens:
        """A ``list<int32>`` column as padded tokens."""
        column = self._table[name].combine_chunks()
        offsets = np.asarray(column.offsets.to_numpy())
        flat = np.asarray(column.values.to_numpy(zero_copy_only=False))[offsets[0] : offsets[-1]]
        return Tokens.from_flat(flat, np.diff(offsets))


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys; NaN and infinity are refused (ValueError)."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file of an artifact."""
    return json.loads(path.read_text())
