"""Boards in words: what readers are told of a rank, a score and a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overopt.leaderboard.ranking.boards import QUESTIONS, Board
from overopt.report.comparison.words import verdict
from overopt.report.tables.text import MISSING, show_number

RANKED_BY = (
    "Entries meet where they share task, label noise, data, initial policies, worlds, seeds and, "
    "if they see one, the proxy. Every pair of entries that may rank is tested, and Holm's correction "
    "keeps the chance of any false difference at 5 %. A rank is the range that these decisions "
    "leave open; within the same ranks entries stand in the order of their names, since nothing "
    "orders them. Entries that share a letter are not told apart; sees is the smallest difference "
    "to the highest score that the design declares with 80 % power. Scores are means, in SDs of "
    "the initial policy, or shares of the oracle's area for the hypervolume, with 95 % intervals; "
    "IQM is the mean of the middle half of all runs."
)


def question_of(row: Mapping[str, Any]) -> str:
    """What was asked, as a column is called."""
    return _QUESTIONS[row["metric"], row["at_kl_nats"]]


_QUESTIONS = {
    (one.metric, one.at_kl_nats if one.metric == "gold-at-kl" else None): one.score
    for one in QUESTIONS
}


def ranks_of(row: Mapping[str, Any]) -> str:
    """The ranks that remain possible."""
    if not row["ranked"]:
        return MISSING
    best, worst = row["rank_best"], row["rank_worst"]
    return str(best) if best == worst else f"{best}–{worst}"


def score_of(row: Mapping[str, Any], digits: int) -> str:
    """A score with its interval."""
    middle = show_number(row["score"], digits)
    if row["low"] is None:
        return middle
    return f"{middle} [{show_number(row['low'], digits)}, {show_number(row['high'], digits)}]"


def lead_of(board: Board) -> str:
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
