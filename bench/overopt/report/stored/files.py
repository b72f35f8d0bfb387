"""Strict reading of text files: what is doubtful is refused in one sentence, never guessed.

An empty cell is a missing value; the texts ``nan`` and ``inf`` are errors. Numbers are read from
text without any guessing, so that a noise label ``0`` stays a label.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from overopt.errors import UserError, one_line
from overopt.report.stored.empty import empty_table
from overopt.report.stored.schema import WHOLE
from overopt.spec.documents import LARGEST_NUMBER, check_format, parse_json

LARGEST_BYTES = 64 << 20
"""Of a record or of excerpts; such a file has some kilobytes."""

LONGEST_NAME = 1000
"""Characters of a name in a table."""


def read_table(path: Path, known: Mapping[str, str] | None = None) -> pd.DataFrame:
    """A CSV file as text cells; ragged rows, repeated names and undecodable bytes refused.

    known: columns that the file may lack, with the value that all its rows then have.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing; the run folder is incomplete, so run it again.")
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is damaged ({error}); restore it or run it again.") from error
    rows = [row for row in rows if row]
    if not rows:
        raise UserError(f"{path} is empty; restore it or run it again.")
    header, body = rows[0], rows[1:]
    if len(set(header)) != len(header):
        raise UserError(f"{path} repeats a column name; restore it or run it again.")
    for number, row in enumerate(body, start=1):
        if len(row) != len(header):
            raise UserError(
                f"{path}, data row {number} has {len(row)} cells where the header has "
                f"{len(header)}; the file is damaged, so restore it or run it again."
            )
    table = _with_start(pd.DataFrame(body, columns=header, dtype=object))
    lacking = {name: value for name, value in (known or {}).items() if name not in header}
    return table.assign(**lacking)


def _with_start(table: pd.DataFrame) -> pd.DataFrame:
    """Name what proxies started from in tables from before that was a choice.

    A proxy with a width of its own was made from scratch. One without started from a model, and
    which one was not recorded.
    """
    if "proxy_width" not in table.columns or "proxy_start" in table.columns:
        return table
    return table.assign(proxy_start=["scratch" if width else "" for width in table["proxy_width"]])


def read_optional_table(
    path: Path, required: tuple[str, ...], known: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """A CSV file of text cells that a run need not have; ``known`` as for ``read_table``."""
    if not path.is_file():
        return empty_table(required)
    table = read_table(path, known)
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}; restore it or run it again.")
    return table[list(required)]


def read_json(path: Path) -> Any:
    """A JSON file as ``parse_json`` takes it, and no larger than ``LARGEST_BYTES``."""
    if not path.is_file():
        raise UserError(f"{path} is missing; the run folder is incomplete, so run it again.")
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ValueError(f"it is larger than {LARGEST_BYTES >> 20} MB")
        return parse_json(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); restore it or run it again.") from error


def read_record(path: Path, again: str) -> dict[str, Any]:
    """The record of a folder of results, of a format that this version reads.

    Args:
        path: a JSON file.
        again: what to do about a damaged one, besides restoring it.

    Raises:
        UserError: it is missing, damaged, no JSON object, or of a format of a later version.
    """
    record = read_json(path)
    if not isinstance(record, dict):
        raise UserError(f"{path} is no JSON object; restore it or {again}.")
    try:
        check_format(record)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    return record


def numbers_of(texts: list[str], name: str, where: str) -> NDArray[np.float64]:
    """Cells as float64, NaN where empty; what is no number up to ``LARGEST_NUMBER`` is refused.

    Whole numbers lie within those that a float64 holds exactly.
    """
    largest = 2.0**53 - 1 if name in WHOLE else LARGEST_NUMBER
    values = np.full(len(texts), np.nan)
    there = [row for row, text in enumerate(texts) if text.strip()]
    try:
        read = np.array([float(texts[row]) for row in there], np.float64)
    except ValueError:
        read = np.array([np.nan])  # the loop below finds it
    small = bool((np.abs(read) <= largest).all())
    if small and (name not in WHOLE or np.array_equal(read, np.trunc(read))):
        values[there] = read
        return values
    for row, text in enumerate(texts):
        if not text.strip():
            continue
        try:
            value = float(text)
        except ValueError:
            refuse(where, row, f"has {name} = {text[:40]!r}", "it must be a number or empty")
        if not math.isfinite(value):
            refuse(where, row, f"has {name} = {text[:40]}", "it must be a finite number or empty")
        if abs(value) > largest:
            refuse(where, row, f"has {name} = {text[:40]}", f"it must lie within {largest:g}")
        if name in WHOLE and value != int(value):
            refuse(where, row, f"has {name} = {text[:40]}", "it must be a whole number")
        values[row] = value
    return values


def names_of(texts: list[str], name: str, where: str) -> list[str]:
    """Cells as names: printable, of one line, and of at most ``LONGEST_NAME`` characters."""
    for text in dict.fromkeys(texts):
        if not text.isprintable() or len(text) > LONGEST_NAME:
            refuse(
                where,
                texts.index(text),
                f"has {name} = {one_line(text, 40)!r}",
                f"a name has at most {LONGEST_NAME} characters, all of which print",
            )
    return texts


def text_of(value: Any) -> str:
    """A cell as text: empty for None and NaN objects of a frame, digits of a number otherwise."""
    if value is None or value is pd.NA:
        return ""
    if isinstance(value, float | np.floating):
        return "" if math.isnan(float(value)) else repr(float(value))
    return str(value)


def refuse(where: str, row: int, what: str, rule: str) -> NoReturn:
    raise UserError(f"{where}, data row {row + 1} {what}; {rule}.")
