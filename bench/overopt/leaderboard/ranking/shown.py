"""A leaderboard in plain numbers and words: what every table and page is made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from overopt.leaderboard.ranking.facts import Status, Track

Row = Mapping[str, Any]
"""One entry under one question, by the columns of ``leaderboard.csv``."""

RECORD_KLS = (2.0, 8.0)
BROKEN_BELOW = 0.01
MOST_LINES = 100


class Board(NamedTuple):
    """A board, decided.

    Attributes:
        track: where its entries compete.
        title: track and setting.
        task: its task.
        setting: what its entries share.
        lead: what it shows by hypervolume, in sentences.
        headline: whether its ranks speak of any world of the kind.
        rows: one per question and entry, in the order in which they are shown.
    """

    track: Track
    title: str
    task: str
    setting: str
    lead: str
    headline: bool
    rows: tuple[Row, ...]


class Record(NamedTuple):
    """One record of a setting, in the order in which they were set.

    Attributes:
        setting: task, noise, worlds and seeds in words.
        at_kl_nats: where gold is read.
        entry: method, and the proxy that it sees.
        gold: its mean, SDs of the initial policy.
        low: lower bound of its 95 % interval, or None.
        high: upper bound, likewise.
        p: of no difference to the record before; None for the first one.
        lines: of the method's file.
        rates: how its learning rate was chosen; empty where nothing is trained.
        status: on whose word it stands.
        finished_utc: when its run ended; may be empty.
    """

    setting: str
    at_kl_nats: float
    entry: str
    gold: float
    low: float | None
    high: float | None
    p: float | None
    lines: int
    rates: str
    status: Status
    finished_utc: str


class Leaderboard(NamedTuple):
    """All boards and records, and how many run folders are behind them."""

    boards: tuple[Board, ...]
    records: tuple[Record, ...]
    runs: int
