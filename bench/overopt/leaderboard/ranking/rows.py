"""Boards as rows: what the published table, the site and Markdown show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from overopt.leaderboard.ranking.boards import Board, Decided
from overopt.report.comparison.contest import Ranking, Standing
from overopt.report.comparison.frames import standing_rows
from overopt.stats.comparisons.interquartile import interquartile

COLUMNS = (
    *("board", "track", "task", "proxy", "noise", "worlds", "seeds", "basis"),
    *("metric", "at_kl_nats", "entry", "family", "status", "rates", "uses_gold", "standard"),
    *("ranked", "rank_best", "rank_worst", "ties", "score", "low", "high", "interval_over"),
    *("iqm", "iqm_low", "iqm_high", "iqm_over", "kl_nats"),
    *("reference", "difference", "difference_low", "difference_high", "p_holm", "differs"),
    *("smallest_seen", "paired_by", "note"),
)
"""Columns of ``leaderboard.csv``."""

NUMBERS = (
    *("at_kl_nats", "score", "low", "high", "iqm", "iqm_low", "iqm_high", "kl_nats"),
    *("difference", "difference_low", "difference_high", "p_holm", "smallest_seen"),
)
"""Those that are measured; they are stored with six digits."""

Row = dict[str, Any]


def board_rows(board: Board) -> list[Row]:
    """One row per question and entry, in the order that the decisions leave.

    Ranked entries come first, by the ranks that remain possible; within the same ranks they are in
    the order of their names, since nothing orders them. Then come those without a rank, likewise by
    name.
    """
    return [row for one in board.decided for row in _decided_rows(board, one)]


def leaderboard_table(boards: Sequence[Board]) -> pd.DataFrame:
    """All boards as one tidy table, numbers with six significant digits."""
    rows = [row for board in boards for row in board_rows(board)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for name in NUMBERS:
        table[name] = [six_digits(value) for value in table[name]]
    return table.astype({"rank_best": "Int64", "rank_worst": "Int64", "seeds": "Int64"})


def six_digits(value: Any) -> float | None:
    """A number as it is published; None for what is missing."""
    if value is None or value != value:
        return None
    return float(f"{float(value):.6g}")


def _decided_rows(board: Board, one: Decided) -> list[Row]:
    rows = [
        _row(board, one, ranking, standing, row)
        for ranking in (one.ranking, *one.beside)
        for standing, row in zip(ranking.standings, standing_rows(ranking), strict=True)
    ]
    return sorted(rows, key=_order)


def _order(row: Row) -> tuple[Any, ...]:
    if row["ranked"]:
        return 0, row["rank_best"], row["rank_worst"], row["entry"]
    return 1 if row["score"] is not None else 2, 0, 0, row["entry"]


def _row(board: Board, one: Decided, ranking: Ranking, standing: Standing, row: Row) -> Row:
    facts, reason = board.facts[standing.method], one.withheld[standing.method]
    ranked = bool(row["ranked"]) and not reason and len(ranking.ranked) > 1
    scores = ranking.scores.get(standing.method)
    middle = interquartile([world.value_S for world in scores.values()]) if scores else None
    return row | {
        "board": board.title,
        "track": board.track,
        "basis": board.basis,
        "entry": standing.method,
        "status": facts.status,
        "rates": facts.rates,
        "uses_gold": facts.uses_gold,
        "standard": facts.standard,
        "ranked": ranked,
        "rank_best": row["rank_best"] if ranked else None,
        "rank_worst": row["rank_worst"] if ranked else None,
        "iqm": middle.mean if middle else None,
        "iqm_low": middle.low if middle else None,
        "iqm_high": middle.high if middle else None,
        "iqm_over": middle.over if middle else "",
        "note": "; ".join(filter(None, (reason, standing.note))),
    }
