"""Times and sizes in words."""

from __future__ import annotations

import math

_DIGITS = 2
"""Significant digits of what is an estimate, or varies from run to run."""


def show_duration(wall_s: float) -> str:
    """Seconds in words, such as ``80 s``, ``2.5 min`` or ``14 h``."""
    if wall_s < 90:
        return f"{_rounded(wall_s, _DIGITS)} s"
    if wall_s < 5400:
        return f"{_rounded(wall_s / 60, _DIGITS)} min"
    return f"{_rounded(wall_s / 3600, _DIGITS)} h"


def show_bytes(size_bytes: float, digits: int = _DIGITS) -> str:
    """Bytes in words, such as ``250 MB`` or ``1.5 GB`` (powers of ten)."""
    if size_bytes < 1e9:
        return f"{_rounded(size_bytes / 1e6, digits)} MB"
    return f"{_rounded(size_bytes / 1e9, digits)} GB"


def _rounded(value: float, digits: int) -> str:
    """A number from 0 with that many significant digits, no exponent and no trailing zeros."""
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(value))
    text = f"{round(value, places):,.{max(places, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
