"""Numbers, intervals and counts in words."""

from __future__ import annotations

from overopt.stats.intervals import Interval


def show(value: float | None) -> str:
    """A number with three decimals, or where it is small or large, of four digits."""
    if value is None:
        return "missing"
    return f"{value:.3f}" if 1e-2 <= abs(value) < 1e3 or value == 0.0 else f"{value:.4g}"


def with_bounds(interval: Interval) -> str:
    """A mean with its interval."""
    return f"{show(interval.mean)} {bounds(interval)}"


def bounds(interval: Interval) -> str:
    """An interval, or that there is none."""
    if interval.low is None or interval.high is None:
        return "(no interval)"
    return f"[{show(interval.low)}, {show(interval.high)}]"


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
