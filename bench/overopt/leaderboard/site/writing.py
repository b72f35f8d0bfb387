"""Writes a leaderboard: the site, and the tables that are committed; compares the latter."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from overopt.errors import harmless
from overopt.leaderboard.published import compare_csv, compare_text
from overopt.leaderboard.ranking.shown import Leaderboard
from overopt.leaderboard.site.frame import leaderboard_table
from overopt.leaderboard.site.page import make_site
from overopt.leaderboard.site.tables import board_table, make_markdown, records_table
from overopt.report.folder import check_folder, report_folder
from overopt.report.tables.text import write_csv, write_latex

PAGE, TABLE, MARKDOWN = "index.html", "leaderboard.csv", "LEADERBOARD.md"


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

    Args:
        found: the leaderboard as it is now.
        results: the committed results, which hold ``leaderboard.csv``; ``LEADERBOARD.md`` lies
            beside them.
    """
    table = leaderboard_table(found.boards)
    again = "bench leaderboard build --publish"
    page = make_markdown(found.boards, found.records)
    return [
        *compare_csv(table, results / TABLE, again),
        *compare_text(page, results.parent / MARKDOWN),
    ]


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
