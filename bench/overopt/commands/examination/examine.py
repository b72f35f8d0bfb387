"""``bench examine``: builds, writes and prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from overopt.commands.printing import open_console
from overopt.commands.screen import Screen
from overopt.errors import UserError
from overopt.execution.executors.local import ProcessExecutor
from overopt.execution.store import open_store
from overopt.report.folder import check_folder, report_folder
from overopt.report.stored.exams import CELL, MARKS, RECORD
from overopt.report.tables.text import MISSING, show_number, write_csv
from overopt.run.exams.carry import Sitting, carry_out
from overopt.run.written.asked_for import asked_for
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec

Lines = Sequence[dict[str, Any]]


def examine(
    sittings: Sequence[Sitting],
    runs: Sequence[RunSpec],
    asked: ExamSpec,
    out: Path,
    store_root: Path | None,
    workers: int,
    quiet: bool,
    show: bool = True,
) -> int:
    """Carry out what was asked, and write marks and what they are of.

    Args:
        sittings: of the runs (``run.exams``).
        runs: what was asked for.
        asked: how sets are drawn.
        out: folder of a report.
        store_root, workers, quiet: as options.
        show: whether means over seeds are printed.

    Raises:
        UserError: what is asked for cannot be, or a stage failed.
    """
    check_folder(out)
    store = open_store(store_root)
    with (
        Screen(open_console(stderr=True), quiet, workers) as screen,
        ProcessExecutor(store, workers) as executor,
    ):
        lines = carry_out(sittings, store, executor, screen)
    marks = mark_frame(sittings, lines)
    if marks.empty:
        raise UserError("no prompt has responses of different gold, and so no exam has a set.")
    write(marks, runs, asked, out)
    if show:
        console = open_console()
        console.print(_table(marks))
        console.print(f"marks: {out / MARKS}", soft_wrap=True)
    return 0


def mark_frame(sittings: Sequence[Sitting], lines: Sequence[Lines]) -> pd.DataFrame:
    """A row for each cell, exam and what the number is of."""
    rows = [
        {"spec": one.run, **one.cell.columns, **line}
        for one, mine in zip(sittings, lines, strict=True)
        for line in mine
    ]
    return pd.DataFrame(rows, columns=[*CELL, "exam", "of", "value", "number"])


def write(marks: pd.DataFrame, runs: Sequence[RunSpec], asked: ExamSpec, out: Path) -> None:
    """Write marks, and what they are of.

    Raises:
        UserError: the folder holds files of somebody else, or cannot be written.
    """
    with report_folder(out) as folder:
        write_csv(marks, folder / MARKS)
        (folder / RECORD).write_text(asked_for("exam", asked, runs), encoding="utf-8")


def _table(marks: pd.DataFrame) -> Table:
    """Means over seeds, a line for each exam and a column for each system and setting."""
    setting = [name for name in CELL if name not in ("spec", "seed")]
    varied = [name for name in setting if marks[name].nunique(dropna=False) > 1] or ["proxy"]
    grouped = marks.groupby([*varied, "exam", "of"], dropna=False, sort=False)["value"]
    numbers, measured, run = grouped.mean(), grouped.count(), grouped.size()
    table = Table(title="means over seeds", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("exam", no_wrap=True)
    table.add_column("of", no_wrap=True)
    heads = list(dict.fromkeys(place[:-2] for place in numbers.index))
    for head in heads:
        table.add_column(_title(varied, head), justify="right")
    for exam, of in dict.fromkeys(place[-2:] for place in numbers.index):
        places = [(*head, exam, of) for head in heads]
        table.add_row(
            exam,
            of,
            *(
                _mean(float(numbers[place]), int(measured[place]), int(run[place]))
                if place in numbers.index
                else MISSING
                for place in places
            ),
        )
    return table


def _mean(value: float, measured: int, run: int) -> str:
    """A mean, which says so where some of its cells have no number."""
    told = show_number(value, 3)
    return told if measured == run else f"{told} ({measured} of {run})"


_UNITS = {"noise": "noise ", "proxy_width": "width ", "comparisons": "pairs ", "world": "world "}


def _title(names: Sequence[str], values: Sequence[Any]) -> str:
    return ", ".join(
        f"{_UNITS.get(name, '')}{value}" for name, value in zip(names, values, strict=True)
    )
