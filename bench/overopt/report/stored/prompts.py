"""``prompts.parquet`` of a run folder: gold prompt by prompt, checked before it is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from overopt.errors import UserError
from overopt.spec.columns import PROMPT_COLUMNS, PROMPTS_FILE

Floats = NDArray[np.float64]

_TYPES = ("int32", "int32", "float")


def read_prompts(folder: Path, points: pd.DataFrame) -> dict[int, Floats] | None:
    """Gold by prompt of every measured row of ``points.csv``; None where no table was stored.

    Args:
        folder: the run folder.
        points: its rows as `overopt.report.stored.points.read_points` returns them.

    Returns:
        By row number from 0, gold in the order of prompt ids, SDs of the initial policy.

    Raises:
        UserError: the file is damaged, or is not the table of these points.
    """
    path = folder / PROMPTS_FILE
    if not path.is_file():
        return None
    row_N, prompt_N, gold_N = _read_columns(path, points)
    order = np.lexsort((prompt_N, row_N))
    row_N, prompt_N, gold_N = row_N[order], prompt_N[order], gold_N[order]
    measured = np.flatnonzero((points["status"] == "ok").to_numpy())
    rows, counts = np.unique(row_N, return_counts=True)
    if not np.array_equal(rows, measured):
        raise _refusal(path, "its rows are not the measured rows of points.csv")
    found = {}
    for row, end, count in zip(rows, np.cumsum(counts), counts, strict=True):
        part = slice(int(end - count), int(end))
        if not np.array_equal(prompt_N[part], np.arange(count)):
            raise _refusal(path, f"row {row} does not have each prompt once, numbered from 0")
        found[int(row)] = gold_N[part]
    return found


def _read_columns(
    path: Path, points: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        schema = file.schema_arrow
        told = tuple(zip(schema.names, map(str, schema.types), strict=True))
        if told != tuple(zip(PROMPT_COLUMNS, _TYPES, strict=True)):
            columns = ", ".join(PROMPT_COLUMNS)
            raise _refusal(path, f"its columns must be {columns} ({', '.join(_TYPES)})")
        prompts = points.loc[points["status"] == "ok", "n_prompts"].to_numpy()
        if not np.isnan(prompts).any() and file.metadata.num_rows != int(prompts.sum()):
            raise _refusal(path, "it does not have a row for every point and prompt")
        table = file.read()
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0][:120]
        raise _refusal(path, reason) from error
    if any(column.null_count for column in table.columns):
        raise _refusal(path, "it has missing values")
    row_N, prompt_N, gold_N = (np.asarray(column) for column in table.columns)
    if not np.isfinite(gold_N).all():
        raise _refusal(path, "its gold has values that are NaN or infinite")
    return row_N.astype(np.int64), prompt_N.astype(np.int64), gold_N.astype(np.float64)


def _refusal(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} is damaged ({reason}); restore it, or remove it to compare seed by seed."
    )
