"""Intervals in tidy tables."""

from __future__ import annotations

from overopt.stats.crossed import Crossed
from overopt.stats.intervals import Interval


def spread(name: str, interval: Interval | Crossed | None) -> dict[str, float | None]:
    """An interval as three columns: name, name_low, name_high."""
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
