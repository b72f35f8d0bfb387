"""Boards as rows: what the published table, the site and Markdown show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overopt.leaderboard.ranking.board import Board, Decided
from overopt.leaderboard.ranking.shown import Board as Shown
from overopt.report.comparison.contest import Ranking, Standing
from overopt.report.comparison.frames import standing_rows
from overopt.report.comparison.words import verdict
from overopt.stats.comparisons.interquartile import interquartile

Row = dict[str, Any]


def show_board(board: Board) -> Shown:
    """A board in plain numbers and words."""
    return Shown(
        track=board.track,
        title=board.title,
        task=board.contest.task,
        setting=board.contest.title,
        lead=_lead(board),
        headline=board.headline,
        rows=tuple(board_rows(board)),
    )


def board_rows(board: Board) -> list[Row]:
    """One row per question and entry, in the order that the decisions leave.

    Ranked entries come first, by the ranks that remain possible; within the same ranks they are in
    the order of their names, since nothing orders them. Then come those without a rank, likewise by
    name.
    """
    return [row for one in board.decided for row in _decided_rows(board, one)]


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


def _lead(board: Board) -> str:
    """What a board shows by hypervolume, in a sentence or two."""
    first = board.decided[0]
    basis = f"Ranks speak of {board.basis}."
    if all(first.withheld.values()):
        return f"No ranking here ({_reasons(first.withheld)}). Letters say which entries differ."
    said = verdict(first.ranking)
    held = {name: reason for name, reason in first.withheld.items() if reason}
    if held:
        said += f" Without a rank: {', '.join(sorted(held))} ({_reasons(held)})."
    return f"{said} {basis}"


def _reasons(withheld: Mapping[str, str]) -> str:
    return "; ".join(sorted({one.removeprefix("no rank: ") for one in withheld.values() if one}))
