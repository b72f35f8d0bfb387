"""``prompts.parquet`` of a run folder: gold prompt by prompt, checked before it is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from overopt.errors import UserError, one_line
from overopt.spec.columns import PROMPT_COLUMNS, PROMPTS_FILE
from overopt.spec.documents import LARGEST_NUMBER

Floats = NDArray[np.float64]

_MOST_ROWS = 50_000_000
"""A table of more rows is none that a run writes."""

_TYPES = ("int32", "int32", "float")


def read_prompts(folder: Path, points: pd.DataFrame) -> dict[int, Floats] | None:
    """Gold by prompt of measured rows of ``points.csv``; None where no table was stored.

    Args:
        folder: the run folder.
        points: its rows as `overopt.report.stored.points.read_points` returns them, or some of
            them; the index is their number.

    Returns:
        By number of the row, gold in the order of prompt ids, SDs of the initial policy.

    Raises:
        UserError: the file is damaged, or is not the table of these points.
    """
    path = folder / PROMPTS_FILE
    if not path.is_file():
        return None
    row_N, prompt_N, gold_N = _read_columns(path)
    order = np.lexsort((prompt_N, row_N))
    row_N, prompt_N, gold_N = row_N[order], prompt_N[order], gold_N[order]
    measured = points.loc[points["status"] == "ok", "n_prompts"]
    begins = np.searchsorted(row_N, measured.index.to_numpy(), side="left")
    ends = np.searchsorted(row_N, measured.index.to_numpy(), side="right")
    found = {}
    for row, begin, end, wanted in zip(measured.index, begins, ends, measured, strict=True):
        if end == begin or (wanted == wanted and end - begin != wanted):
            raise _refusal(path, f"data row {row + 1} of points.csv has not all of its prompts")
        if not np.array_equal(prompt_N[begin:end], np.arange(end - begin)):
            raise _refusal(path, f"data row {row + 1} does not have prompts numbered from 0")
        found[int(row)] = gold_N[begin:end]
    return found


def _read_columns(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        schema = file.schema_arrow
        told = tuple(zip(schema.names, map(str, schema.types), strict=True))
        if told != tuple(zip(PROMPT_COLUMNS, _TYPES, strict=True)):
            columns = ", ".join(PROMPT_COLUMNS)
            raise _refusal(path, f"its columns must be {columns} ({', '.join(_TYPES)})")
        if file.metadata.num_rows > _MOST_ROWS:
            raise _refusal(path, f"it has more than {_MOST_ROWS:,} rows")
        table = file.read()
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = one_line(str(error), 120) or type(error).__name__
        raise _refusal(path, reason) from error
    if any(column.null_count for column in table.columns):
        raise _refusal(path, "it has missing values")
    row_N, prompt_N, gold_N = (np.asarray(column) for column in table.columns)
    if not (np.abs(gold_N) <= LARGEST_NUMBER).all():
        raise _refusal(path, f"its gold has values that are no numbers up to {LARGEST_NUMBER:g}")
    return row_N.astype(np.int64), prompt_N.astype(np.int64), gold_N.astype(np.float64)


def _refusal(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} is damaged ({reason}); restore it, or remove it to compare seed by seed."
    )
