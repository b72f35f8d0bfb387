"""Exams of reward models as ``bench examine`` stored them: what was asked for, and marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from overopt.errors import UserError
from overopt.report.stored.asked_for import Layout, find_folders, read_asked, read_rows
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec

RECORD, MARKS = "exams.json", "exams.csv"
CELL = ("spec", "world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seed")
"""Columns that tell a cell; ``spec`` counts runs from 0."""
_LAYOUT = Layout(
    texts=("proxy", "noise", "proxy_start", "exam", "of"),
    numbers=("spec", "world", "proxy_width", "comparisons", "seed", "value", "number"),
    optional=("proxy_width",),
    again="examine again",
)


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
    return find_folders(places, RECORD, _read, tell)


def _read(folder: Path) -> StoredExams | None:
    asked = read_asked(folder / RECORD, "exam", (RunSpec, ExamSpec), _LAYOUT.again)
    if asked is None:
        return None
    specs, exam = asked
    marks = read_rows(folder / MARKS, _LAYOUT, len(specs))
    if marks.duplicated([*CELL, "exam", "of"]).any():
        raise UserError(
            f"{folder / MARKS} has a mark of one cell twice; restore it or {_LAYOUT.again}."
        )
    return StoredExams(folder, specs, exam, marks)
