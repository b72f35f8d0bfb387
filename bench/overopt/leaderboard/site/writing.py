"""Writes a leaderboard: the site, and the tables that are committed; compares the latter."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from overopt.errors import harmless
from overopt.leaderboard.ranking.shown import Leaderboard
from overopt.leaderboard.site.frame import leaderboard_table
from overopt.leaderboard.site.page import make_site
from overopt.leaderboard.site.tables import board_table, make_markdown, records_table
from overopt.report.folder import check_folder, report_folder
from overopt.report.tables.text import write_csv, write_latex

PAGE, TABLE, MARKDOWN = "index.html", "leaderboard.csv", "LEADERBOARD.md"
_SAME = 1e-5


def write_site(found: Leaderboard, out: Path) -> list[Path]:
    """Write page, tables, Markdown and LaTeX into a folder, all at once.

    The bytes are a pure function of the results. A former site in the folder is replaced.

    Raises:
        UserError: the folder holds files of somebody else, or cannot be written.
    """
    check_folder(out)
    with report_folder(out) as staged:
        page = make_site(found)
        (staged / PAGE).write_bytes(harmless(page).encode())
        names = [PAGE, *_write_tables(found, staged)]
        for number, board in enumerate(found.boards, start=1):
            table = board_table(board, f"board-{number:02d}")
            names.append(write_latex(table, staged / f"{table.name}.tex").name)
        names.append(write_latex(records_table(found.records), staged / "records.tex").name)
    return [out / name for name in names]


def _write_tables(found: Leaderboard, folder: Path) -> list[str]:
    write_csv(leaderboard_table(found.boards), folder / TABLE)
    (folder / MARKDOWN).write_bytes(make_markdown(found.boards, found.records).encode())
    return [TABLE, MARKDOWN]


def compare_tables(found: Leaderboard, results: Path) -> list[str]:
    """What differs between the committed tables and those of the results, in sentences.

    Numbers count as the same within a relative 1e-5, since another processor may round otherwise.

    Args:
        found: the leaderboard as it is now.
        results: the committed results, which hold ``leaderboard.csv``; ``LEADERBOARD.md`` lies
            beside them.
    """
    path = results / TABLE
    told = []
    now = list(csv.reader(io.StringIO(_quoted(found))))
    try:
        committed = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError):
        return [f"{path} is not there; give bench leaderboard build --publish."]
    if len(committed) != len(now):
        told.append(f"{path} has {len(committed)} lines, and the results make {len(now)}.")
    for number, (old, new) in enumerate(zip(committed, now, strict=False), start=1):
        if len(old) != len(new) or not all(map(_same, old, new)):
            told.append(f"{path}, line {number}, is not what the results say: {_apart(old, new)}.")
            break
    markdown = results.parent / MARKDOWN
    wanted = make_markdown(found.boards, found.records)
    if not markdown.is_file() or markdown.read_text(encoding="utf-8") != wanted:
        told.append(f"{markdown} is not what the results say.")
    return told


def _quoted(found: Leaderboard) -> str:
    """The table as it would be written."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_csv(leaderboard_table(found.boards), Path(folder) / TABLE)
        return path.read_text(encoding="utf-8")


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


def publish(found: Leaderboard, results: Path) -> list[Path]:
    """Write the tables that are committed: into the results, and beside them."""
    placed = []
    with tempfile.TemporaryDirectory(dir=results) as folder:
        _write_tables(found, Path(folder))
        for name, place in ((TABLE, results), (MARKDOWN, results.parent)):
            draft = Path(folder) / name
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(place / name)
            placed.append(place / name)
    return placed
