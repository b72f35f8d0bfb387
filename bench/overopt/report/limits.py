"""Ranges of axes that one bad curve cannot fix."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from overopt.stats.arrays import Floats

INNER = (10.0, 90.0)
"""Percentiles between which most of what is drawn lies."""
BEYOND = 2.0
"""How many times their range an axis may reach beyond them."""
ROOM = 0.06
"""Share of the range that stays free at either end."""


def robust_limits(values: Iterable[float], least: Iterable[float] = (0.0,)) -> tuple[float, float]:
    """Limits of an axis that holds the bulk of the values, and all of them where none is far off.

    A limit lies at the furthest value, but at most two inner ranges (10th to 90th percentile)
    beyond that range, so that a curve that runs away is cut instead of flattening all others.
    Whoever draws marks what is cut.

    Args:
        values: what is drawn; missing values do not count.
        least: values that the axis always holds.

    Returns:
        The lower and upper limit, with some room.
    """
    shown = _finite(values)
    must = _finite(least)
    low, high = (float(must.min()), float(must.max())) if must.size else (0.0, 0.0)
    if shown.size:
        inner_low, inner_high = (float(edge) for edge in np.percentile(shown, INNER))
        inner = max(inner_high, high) - min(inner_low, low)
        low = min(low, max(float(shown.min()), inner_low - BEYOND * inner))
        high = max(high, min(float(shown.max()), inner_high + BEYOND * inner))
    room = ROOM * (high - low) or 1.0
    return low - room, high + room


def _finite(values: Iterable[float]) -> Floats:
    array = np.asarray(list(values), np.float64)
    return array[np.isfinite(array)]
