"""Published tables against those that would be published now."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from overopt.report.tables.text import write_csv

_SAME = 1e-5


def compare_csv(table: pd.DataFrame, path: Path, again: str) -> list[str]:
    """What differs between a committed CSV file and a table, in sentences.

    Numbers count as the same within a relative 1e-5, since another processor may round otherwise.

    Args:
        table: as it is now.
        path: the committed file.
        again: the command that writes it.
    """
    with tempfile.TemporaryDirectory() as folder:
        text = write_csv(table, Path(folder) / "now.csv").read_text(encoding="utf-8")
    now = list(csv.reader(io.StringIO(text)))
    try:
        committed = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError):
        return [f"{path} is not there; give {again}."]
    told = []
    if len(committed) != len(now):
        told.append(f"{path} has {len(committed)} lines, and the results make {len(now)}.")
    for number, (old, new) in enumerate(zip(committed, now, strict=False), start=1):
        if len(old) != len(new) or not all(map(_same, old, new)):
            told.append(f"{path}, line {number}, is not what the results say: {_apart(old, new)}.")
            break
    return told


def compare_text(text: str, path: Path) -> list[str]:
    """Whether a committed page is this text, in a sentence where it is not."""
    same = path.is_file() and path.read_text(encoding="utf-8") == text
    return [] if same else [f"{path} is not what the results say."]


def _same(old: str, new: str) -> bool:
    if old == new:
        return True
    try:
        one, other = float(old), float(new)
    except ValueError:
        return False
    return abs(one - other) <= _SAME * max(abs(one), abs(other), 1e-9)


def _apart(old: Sequence[str], new: Sequence[str]) -> str:
    pairs = [(a, b) for a, b in zip(old, new, strict=False) if not _same(a, b)]
    return f"{pairs[0][0][:80]!r} instead of {pairs[0][1][:80]!r}" if pairs else "another width"
