"""Boards as finished tables of words, for Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from overopt.leaderboard.ranking.shown import Board, Record, Row
from overopt.leaderboard.site.words import RANKED_BY, question_of, ranks_of, score_of, show_p
from overopt.report.tables.text import MISSING, TextTable, show_number


def board_table(board: Board, name: str) -> TextTable:
    """One row per entry, its score and rank by every question; rows as by the first question."""
    rows_of = {question: list(rows) for question, rows in groupby(board.rows, key=question_of)}
    first = next(iter(rows_of.values()))
    header = ["entry", "status"]
    for question in rows_of:
        header += [question, "rank", "ties"]
    cells = []
    for row in first:
        line = [row["entry"], row["status"]]
        for rows in rows_of.values():
            line += _cells(next(one for one in rows if one["entry"] == row["entry"]))
        cells.append(tuple(line))
    return TextTable(name, board.title, tuple(header), tuple(cells), 2, board.lead)


def _cells(row: Row) -> list[str]:
    return [score_of(row), ranks_of(row), row["ties"] or MISSING]


def records_table(records: Sequence[Record]) -> TextTable:
    """One row per record."""
    rows = []
    for one in records:
        gold = show_number(one.gold, 2)
        if one.low is not None:
            gold += f" [{show_number(one.low, 2)}, {show_number(one.high, 2)}]"
        rows.append(
            (
                *(one.setting, f"{one.at_kl_nats:g}", one.entry, one.status, gold),
                *(show_p(one.p), str(one.lines), one.finished_utc[:10] or MISSING),
            )
        )
    header = ("setting", "at nats", "entry", "status", "gold", "p", "lines", "set")
    return TextTable("records", "Records", header, tuple(rows), 4)


def make_markdown(boards: Sequence[Board], records: Sequence[Record]) -> str:
    """``LEADERBOARD.md``: every board and record."""
    lines = [
        "# Leaderboard",
        "",
        "Made by `bench leaderboard build` from the committed results; do not edit it by hand. "
        "[What a rank here does and does not license]"
        "(bench/overopt/docs/threat-model.md) comes first, then "
        "[how ranks are made](bench/overopt/docs/leaderboard.md).",
        "",
        escape_markdown(RANKED_BY),
    ]
    for track, mine in groupby(boards, key=lambda board: board.track):
        lines += ["", f"## {track.capitalize()}"]
        for board in mine:
            lines += ["", f"### {escape_markdown(board.setting)}", ""]
            lines += [escape_markdown(board.lead), "", *_rows(board_table(board, "board"))]
    lines += ["", "## Records", "", *_rows(records_table(records))]
    return "\n".join(lines) + "\n"


def _rows(table: TextTable) -> list[str]:
    numbers = len(table.header) - table.words
    lines = [_line(table.header), f"|{' --- |' * table.words}{' ---: |' * numbers}"]
    return lines + [_line(row) for row in table.rows]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(escape_markdown(cell) for cell in cells)} |"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it stands, on one line."""
    one_line = "".join(letter if letter.isprintable() else " " for letter in text)
    return re.sub(r"([\\`*_\[\]<>|~&#!$])", r"\\\1", one_line)
