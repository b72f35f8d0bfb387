"""Boards and records as tables of the site that readers sort and filter."""

from __future__ import annotations

from collections.abc import Sequence

from overopt.leaderboard.ranking.shown import BROKEN_BELOW, MOST_LINES, Board, Record, Row
from overopt.leaderboard.site.words import question_of, ranks_of
from overopt.report.html.sheet import Cell, Column, Sheet, Spread


def board_sheet(board: Board, name: str) -> Sheet:
    """One row per question and entry; one question is shown at a time, hypervolume first."""
    rows = board.rows
    return Sheet(
        name=name,
        title=board.title,
        columns=(
            Column("entry", "entry"),
            Column("rank", "rank", help="ranks that the pairwise tests leave open"),
            Column("ties", "ties", help="sharing a letter: not told apart"),
            Column("question", "score of", "one"),
            Column("score", "score", digits=3, help="mean, 95 % interval"),
            Column("iqm", "IQM", digits=3, help="mean of the middle half of all runs"),
            Column("difference", "to the highest", digits=3, help="paired; interval of this pair"),
            Column("p", "p (Holm)", digits=None, help="after Holm's correction over all pairs"),
            Column("sees", "sees", digits=3, help="smallest difference seen with 80 % power"),
            Column("status", "status", "any", help="claimed, verified or contested"),
            Column("rates", "learning rate", "any"),
            Column("notes", "notes"),
        ),
        rows=[_row(row) for row in rows],
        first={"question": question_of(rows[0])} if rows else {},
    )


def _row(row: Row) -> dict[str, Cell]:
    def number(name: str) -> float | None:
        value = row[name]
        return float(value) if isinstance(value, int | float) else None

    def spread(name: str, low: str, high: str) -> Spread | None:
        middle = number(name)
        return None if middle is None else Spread(middle, number(low), number(high))

    return {
        "entry": str(row["entry"]),
        "rank": ranks_of(row),
        "ties": str(row["ties"]),
        "question": question_of(row),
        "score": spread("score", "low", "high"),
        "iqm": spread("iqm", "iqm_low", "iqm_high"),
        "difference": spread("difference", "difference_low", "difference_high"),
        "p": number("p_holm"),
        "sees": number("smallest_seen"),
        "status": str(row["status"]),
        "rates": str(row["rates"]) or "none",
        "notes": str(row["note"]),
    }


def records_sheet(records: Sequence[Record]) -> Sheet:
    """One row per record, in the order in which they were set."""
    return Sheet(
        name="records",
        title="Records: best gold at a fixed KL",
        columns=(
            Column("entry", "entry"),
            Column("setting", "setting", "any"),
            Column("at", "at nats", "any", digits=0),
            Column("gold", "gold", help="SDs of the initial policy, 95 % interval"),
            Column("p", "p", digits=None, help="of no difference to the record before"),
            Column("lines", "lines", digits=0, help="of the method's file"),
            Column("rates", "learning rate", "any"),
            Column("status", "status", "any"),
            Column("set", "set"),
        ),
        rows=[
            {
                "entry": one.entry,
                "setting": one.setting,
                "at": one.at_kl_nats,
                "gold": Spread(one.gold, one.low, one.high),
                "p": one.p,
                "lines": float(one.lines),
                "rates": one.rates or "none",
                "status": one.status,
                "set": one.finished_utc[:10],
            }
            for one in records
        ],
        note=f"A record falls to a higher gold in the same worlds and seeds with p < "
        f"{BROKEN_BELOW:g} in the paired test, not corrected for how many have tried, by a method "
        f"of at most {MOST_LINES} lines that uses no gold. The first entry of a setting sets the "
        "first record.",
    )
