"""Strict reading of text files: what is doubtful is refused in one sentence, never guessed.

An empty cell is a missing value; the texts ``nan`` and ``inf`` are errors. Numbers are read from
text without any guessing, so that a noise label ``0`` stays a label.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from overopt.errors import UserError
from overopt.report.stored.empty import empty_table
from overopt.report.stored.schema import WHOLE


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
    """A JSON file; NaN, infinities and repeated keys are refused."""

    def refuse_constant(text: str) -> NoReturn:
        raise ValueError(f"it holds {text}, which is not a number")

    def refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            raise ValueError("it repeats a key")
        return dict(pairs)

    if not path.is_file():
        raise UserError(f"{path} is missing; the run folder is incomplete, so run it again.")
    try:
        return json.loads(
            path.read_text(encoding="utf-8"),
            parse_constant=refuse_constant,
            object_pairs_hook=refuse_repeats,
        )
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); restore it or run it again.") from error


def numbers_of(texts: list[str], name: str, where: str) -> NDArray[np.float64]:
    """Cells as float64 with NaN for an empty cell; anything that is not a finite number refused."""
    values = np.full(len(texts), np.nan)
    there = [row for row, text in enumerate(texts) if text.strip()]
    try:
        read = np.array([float(texts[row]) for row in there], np.float64)
    except ValueError:
        read = np.array([np.nan])  # the loop below finds it
    if np.isfinite(read).all() and (name not in WHOLE or np.array_equal(read, np.trunc(read))):
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
            refuse(where, row, f"has {name} = {text}", "it must be a finite number or empty")
        if name in WHOLE and value != int(value):
            refuse(where, row, f"has {name} = {text}", "it must be a whole number")
        values[row] = value
    return values


def text_of(value: Any) -> str:
    """A cell as text: empty for None and NaN objects of a frame, digits of a number otherwise."""
    if value is None or value is pd.NA:
        return ""
    if isinstance(value, float | np.floating):
        return "" if math.isnan(float(value)) else repr(float(value))
    return str(value)


def refuse(where: str, row: int, what: str, rule: str) -> NoReturn:
    raise UserError(f"{where}, data row {row + 1} {what}; {rule}.")
