"""A table on disk as it stands: parquet, csv or jsonl to columns of numbers and of ids.

Reading is strict: whatever could be a mistake is a `UserError` that says where. Empty cells and
the words of `cells.MISSING_WORDS` are taken for missing; `count_nan` says how many are NaN, which a
model that diverged writes as well.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow.lib import ArrowException

from overopt.errors import UserError
from overopt.spec.documents import LARGEST_NUMBER, parse_json
from overopt.stats.arrays import Floats
from overopt.tables.cells import is_number, parse_column

SUFFIXES = (".parquet", ".csv", ".jsonl")

MOST_COLUMNS = 1_000
MOST_ROWS = 10_000_000
MOST_BYTES = 8 << 30
"""Of a table when it is expanded; a compressed file may hold a thousand times its size."""

Table = pd.DataFrame
Column = NDArray[np.object_]


def read_table(file: Path) -> Table:
    """Read a table with distinct column names and at least one row.

    Cells of a csv file stay text. A named parquet index becomes columns.

    Raises:
        UserError: if the file is missing, a folder, of another kind, unreadable or empty.
    """
    if file.is_dir():
        raise UserError(f"{file}: this is a folder; give the path of one table of scores")
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(
            f"{file}: the suffix is {file.suffix!r}, allowed are {', '.join(SUFFIXES)}; convert the"
            " table to one of these"
        )
    if not file.is_file():
        raise UserError(f"{file}: there is no such file; give the path of a table of scores")
    try:
        if file.stat().st_size == 0:
            raise UserError(f"{file}: the file is empty; give at least one scored sample")
        match suffix:
            case ".parquet":
                frame = _read_parquet(file)
            case ".csv":
                frame = _read_csv(file)
            case _:
                frame = _read_jsonl(file)
    except (ValueError, OSError, csv.Error, ArrowException) as error:
        raise UserError(
            f"{file}: not a readable {suffix} table ({_reason(error)}); write it again"
        ) from error
    if frame.shape[0] == 0:
        raise UserError(f"{file}: the table has no rows; give at least one scored sample")
    return frame


def require_column(file: Path, frame: Table, column: str, option: str) -> str:
    """Return a column that must exist, or say which one may be meant."""
    if column in frame:
        return column
    names = [str(name) for name in frame.columns]
    close = get_close_matches(column, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UserError(
        f"{file}: there is no column {column!r}; {hint}available: {', '.join(names)};"
        f" choose one with {option}"
    )


def read_numbers(file: Path, frame: Table, column: str) -> Floats:
    """A column as numbers, NaN where missing.

    Raises:
        UserError: if a value is neither a finite number nor missing.
    """
    try:
        numbers = parse_column(frame[column])
    except (ValueError, TypeError, OverflowError):
        values = frame[column].to_numpy(dtype=object)
        row = next(i for i, value in enumerate(values) if not is_number(value))
        raise UserError(
            f"{file}: column {column!r} holds {_shorten(values[row])} in data row {row + 1},"
            " allowed are finite numbers or nothing for a missing score; correct that row"
        ) from None
    beyond = np.abs(numbers) > LARGEST_NUMBER
    if np.any(beyond):
        row = int(np.argmax(beyond))
        found = "infinite" if np.isinf(numbers[row]) else f"{numbers[row]:g}"
        raise UserError(
            f"{file}: column {column!r} is {found} in data row {row + 1}, allowed are finite"
            f" numbers up to {LARGEST_NUMBER:g} or nothing for a missing score; correct or empty it"
        )
    return numbers


def holds_numbers(frame: Table, column: str) -> bool:
    """Whether a column is numbers or missing throughout, and at least one number."""
    try:
        values = parse_column(frame[column])
    except (ValueError, TypeError, OverflowError):
        return False
    return bool(np.any(~np.isnan(values)))


def read_ids(file: Path, frame: Table, column: str) -> Column:
    """Ids as Python strings: a fixed-width array would pad every prompt to the longest.

    Raises:
        UserError: if a row has no id.
    """
    values = frame[column].to_numpy(dtype=object)
    empty = np.array([isinstance(value, str) and not value for value in values], np.bool_)
    missing = frame[column].isna().to_numpy(np.bool_) | empty
    if missing.any():
        row = int(np.argmax(missing))
        raise UserError(
            f"{file}: column {column!r} has no id in data row {row + 1}; every row needs one"
        )
    return np.array([str(value) for value in values], np.object_)


def _read_parquet(file: Path) -> Table:
    stated = pq.ParquetFile(file).metadata
    _check_size(stated.num_rows, stated.num_columns)
    groups = (stated.row_group(number) for number in range(stated.num_row_groups))
    if sum(max(group.total_byte_size, 0) for group in groups) > MOST_BYTES:
        raise ValueError(f"it expands to more than {MOST_BYTES >> 30} GB")
    schema = pq.read_schema(file)
    texts = [one.name for one in schema if pa.types.is_string(one.type)]
    if texts:
        # pandas would find what is no UTF-8 only where a cell is looked at
        pq.read_table(file, columns=texts).validate(full=True)
    try:
        frame = pd.read_parquet(file, engine="pyarrow")
    except (LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"pandas cannot make out its metadata: {error}") from error
    named = [name for name in frame.index.names if name is not None]
    frame = frame.reset_index(level=named) if named else frame
    return frame.reset_index(drop=True).rename(columns=str)


def _read_csv(file: Path) -> Table:
    """Cells as text; pandas would fill rows that are too short without a word."""
    rows: list[list[str]] = []
    names: list[str] = []
    with file.open(encoding="utf-8-sig", newline="") as lines, _long_cells():
        reader = csv.reader(lines, strict=True)
        try:
            for row in reader:
                if not row:
                    continue
                if not names:
                    _check_size(0, len(row))
                    names = _distinct(row)
                elif len(row) != len(names):
                    raise ValueError(
                        f"line {reader.line_num}: {len(row)} cells where the header has"
                        f" {len(names)}"
                    )
                else:
                    rows.append(row)
                    _check_size(len(rows), 0)
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error
    cells = zip(*rows, strict=True) if rows else ([] for _ in names)
    columns = {
        name: pd.Series(values, dtype=object) for name, values in zip(names, cells, strict=True)
    }
    return pd.DataFrame(columns)


def _read_jsonl(file: Path) -> Table:
    rows: list[dict[str, Any]] = []
    found: dict[str, None] = {}
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = parse_json(line.decode("utf-8-sig"), any_number=True)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number}: {error.msg}") from error
            except ValueError as error:
                raise ValueError(f"line {number}: {_reason(error)}") from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number}: not an object")
            rows.append(row)
            found.update(dict.fromkeys(row))
            _check_size(len(rows), len(found))
    columns = {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in found}
    return pd.DataFrame(columns)


def _check_size(rows: int, columns: int) -> None:
    if rows > MOST_ROWS or columns > MOST_COLUMNS:
        raise ValueError(
            f"it has more than {MOST_ROWS:,} rows or {MOST_COLUMNS:,} columns; keep the scores only"
        )


def _distinct(names: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the name {name!r} occurs twice")
        seen.add(name)
    return list(names)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell hold a whole response; the csv module stops at 131,072 characters."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _reason(error: BaseException) -> str:
    """The first line of what a parser has to say."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "unreadable"


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
