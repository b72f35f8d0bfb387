"""Intervals as the tables of a run store them."""

from __future__ import annotations

import math
from typing import Any

from overopt.stats.crossed import Crossed

LEVEL = 0.95
"""Coverage of all stored intervals."""


def interval_of(row: dict[Any, Any], name: str) -> Crossed | None:
    """An interval that a row stores in five columns; None where there is no mean."""
    if math.isnan(row[name]):
        return None
    se, df, low, high = (
        None if math.isnan(value) else float(value)
        for value in (row[f"{name}_{part}"] for part in ("se", "df", "low", "high"))
    )
    if se == 0.0 and df is None:
        df = math.inf
    shape = int(row["seeds"]), int(row["prompts"])
    return Crossed(float(row[name]), low, high, se, df, *shape, LEVEL, row["over"])
