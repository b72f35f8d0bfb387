"""``prompts.parquet`` of a run folder: gold of every measured point, prompt by prompt.

It lets methods be compared on the same prompts long after the store was emptied. The table follows
from the same artifacts as ``points.csv`` and has no part in the run's identity, so that results
without it, of earlier versions, keep their folders.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from overopt.execution.store import Store
from overopt.spec.columns import PROMPT_COLUMNS


def prompt_table(keys: Sequence[str | None], store: Store) -> bytes | None:
    """The file's bytes; None where nothing was measured.

    Args:
        keys: of the points of each cell, in the order of ``points.csv``; None for a failed one.
        store: where they lie.
    """
    first_row, parts = 0, []
    for key in keys:
        if key is None:
            first_row += 1  # a failed cell has one row
            continue
        folder = store.open(key)
        assert folder is not None, "a finished cell's points are in the store"
        read = pq.read_table(folder / "prompts.parquet")
        row_N = np.asarray(read["point"], np.int32) + np.int32(first_row)
        parts.append((row_N, np.asarray(read["prompt_id"]), np.asarray(read["gold"])))
        first_row += len(json.loads((folder / "points.json").read_text()))
    if not parts:
        return None
    row_N, prompt_N, gold_N = (np.concatenate(column) for column in zip(*parts, strict=True))
    return prompt_bytes(row_N, prompt_N, gold_N)


def prompt_bytes(
    row_N: npt.NDArray[Any], prompt_N: npt.NDArray[Any], gold_N: npt.NDArray[Any]
) -> bytes:
    """The file's bytes, of its columns (`overopt.spec.columns.PROMPT_COLUMNS`)."""
    arrays = [pa.array(row_N.astype(np.int32)), pa.array(prompt_N.astype(np.int32)),
              pa.array(gold_N.astype(np.float32))]  # fmt: skip
    stream = io.BytesIO()
    pq.write_table(
        pa.table(arrays, names=list(PROMPT_COLUMNS)),
        stream,
        compression="zstd",
        use_dictionary=["row", "prompt_id"],
        use_byte_stream_split=["gold"],
        write_page_checksum=True,
    )
    return stream.getvalue()


def same_prompts(path: Path, wanted: bytes) -> bool:
    """Whether a stored table holds these values; other versions of pyarrow write other bytes.

    An earlier version wrote none, and what it left out is not added.
    """
    if not path.exists():
        return True
    try:
        stored = pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return False
    return bool(stored.equals(pq.read_table(io.BytesIO(wanted))))
