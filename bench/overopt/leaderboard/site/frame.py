"""All boards as one tidy table, ``leaderboard.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from overopt.leaderboard.ranking.shown import Board

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


def leaderboard_table(boards: Sequence[Board]) -> pd.DataFrame:
    """All boards as one tidy table, numbers with six significant digits."""
    rows = [row for board in boards for row in board.rows]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for name in NUMBERS:
        table[name] = [six_digits(value) for value in table[name]]
    return table.astype({"rank_best": "Int64", "rank_worst": "Int64", "seeds": "Int64"})


def six_digits(value: Any) -> float | None:
    """A number as it is published; None for what is missing."""
    if value is None or value != value:
        return None
    return float(f"{float(value):.6g}")
