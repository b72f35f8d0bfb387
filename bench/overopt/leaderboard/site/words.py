"""Rows in words: what readers are told of a rank and a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overopt.report.comparison.question import Question
from overopt.report.tables.text import MISSING, show_number

RANKED_BY = (
    "Entries meet where they share task, label noise, data, initial policies, worlds, seeds and, "
    "if they see one, the proxy. Every pair of entries that may rank is tested, and Holm's "
    "correction keeps the chance of any false difference at 5 %. A rank is the range that these "
    "decisions leave open; within the same ranks entries stand in the order of their names, since "
    "nothing orders them. Entries that share a letter are not told apart; sees is the smallest "
    "difference to the highest score that the design declares with 80 % power. Scores are means, "
    "in SDs of the initial policy, or shares of the oracle's area for the hypervolume, with 95 % "
    "intervals; IQM is the mean of the middle half of all runs."
)


def question_of(row: Mapping[str, Any]) -> str:
    """What was asked, as a column is called."""
    return Question(row["metric"], row["at_kl_nats"] or 1.0).score


def digits_of(row: Mapping[str, Any]) -> int:
    """Digits that a score of this question is shown with."""
    return Question(row["metric"]).digits


def ranks_of(row: Mapping[str, Any]) -> str:
    """The ranks that remain possible."""
    if not row["ranked"]:
        return MISSING
    best, worst = row["rank_best"], row["rank_worst"]
    return str(best) if best == worst else f"{best}–{worst}"


def score_of(row: Mapping[str, Any]) -> str:
    """A score with its interval."""
    digits = digits_of(row)
    middle = show_number(row["score"], digits)
    if row["low"] is None:
        return middle
    return f"{middle} [{show_number(row['low'], digits)}, {show_number(row['high'], digits)}]"


def show_p(p: float | None) -> str:
    """A p value; small ones as a bound."""
    if p is None:
        return MISSING
    return "<0.001" if p < 0.001 else f"{p:.3f}"
