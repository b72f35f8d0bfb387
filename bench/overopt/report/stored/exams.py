"""Exams of reward models as ``bench examine`` stored them: what was asked for, and marks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from overopt.errors import UserError
from overopt.report.stored.files import names_of, numbers_of, read_json, read_table
from overopt.spec.documents import check_format
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec

RECORD, MARKS = "exams.json", "exams.csv"
CELL = ("spec", "world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seed")
"""Columns that tell a cell; ``spec`` counts runs from 0."""
_TEXT = ("proxy", "noise", "proxy_start", "exam", "of")
_NUMBERS = ("spec", "world", "proxy_width", "comparisons", "seed", "value", "number")
_OPTIONAL = "proxy_width"


@dataclass(frozen=True)
class StoredExams:
    """One folder of ``bench examine``.

    Attributes:
        folder: the folder.
        specs: runs whose proxies were examined; the column ``spec`` counts them from 0.
        exam: how the sets were drawn.
        marks: a row for each cell, exam and what it is of.
    """

    folder: Path
    specs: tuple[RunSpec, ...]
    exam: ExamSpec
    marks: pd.DataFrame


def find_exams(
    places: Iterable[Path], tell: Callable[[str], None] = lambda words: None
) -> list[StoredExams]:
    """Every such folder at or below some places, in the order of their names.

    Args:
        places: folders.
        tell: told of folders that were left out because another version wrote them.

    Raises:
        UserError: one is damaged.
    """
    folders = {file.parent.resolve() for place in places for file in place.rglob(RECORD)}
    found = []
    for folder in sorted(folders):
        one = _read(folder)
        if one is None:
            tell(f"{folder}: its record is of another version and tells no settings; left out")
        else:
            found.append(one)
    return found


def _read(folder: Path) -> StoredExams | None:
    record = read_json(folder / RECORD)
    if not isinstance(record, dict):
        raise UserError(f"{folder / RECORD} is no JSON object; restore it or examine again.")
    try:
        check_format(record)
    except ValueError as error:
        raise UserError(f"{folder / RECORD}: {error}") from error
    try:
        exam = ExamSpec.model_validate(record.get("exam"))
        specs = tuple(RunSpec.model_validate_json(json.dumps(one)) for one in record["specs"])
    except (ValidationError, KeyError, TypeError):
        return None
    return StoredExams(folder, specs, exam, _marks(folder / MARKS, len(specs)))


def _marks(path: Path, runs: int) -> pd.DataFrame:
    table = read_table(path)
    missing = [name for name in (*_TEXT, *_NUMBERS) if name not in table.columns]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}; restore it or examine again.")
    texts = {name: names_of(list(map(str, table[name])), name, str(path)) for name in _TEXT}
    numbers = {name: numbers_of(list(map(str, table[name])), name, str(path)) for name in _NUMBERS}
    for name, value in numbers.items():
        if name != _OPTIONAL and np.isnan(value).any():
            raise UserError(f"{path} has no {name} in some rows; restore it or examine again.")
    if ((numbers["spec"] < 0) | (numbers["spec"] >= runs)).any():
        raise UserError(f"{path} counts {runs} runs wrongly; restore it or examine again.")
    marks = pd.DataFrame({**texts, **numbers})
    if marks.duplicated([*CELL, "exam", "of"]).any():
        raise UserError(f"{path} has a mark of one cell twice; restore it or examine again.")
    return marks
