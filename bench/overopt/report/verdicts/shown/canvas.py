"""The size of a panel, numbers by seed, and how an interval is drawn at a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from overopt.report.figures.style import Mark
from overopt.report.verdicts.arms import (
    Arm,
    Measured,
    NotMeasured,
    OutOfReach,
    ReadOfArms,
    Scope,
    Undefined,
)
from overopt.stats.intervals import Interval

WIDTH_IN, HEIGHT_IN = 4.2, 3.1


def values_of(
    statistic: ReadOfArms, measured: Measured, arms: tuple[Arm, ...]
) -> list[float] | None:
    """A statistic of each seed of all worlds that some arms share; None where it was not measured.

    Args:
        statistic: what is read.
        measured: of all arms.
        arms: those of the statistic and others that it shares seeds and an end with.
    """
    try:
        tables = statistic.read(Scope(measured, arms))
    except (NotMeasured, OutOfReach, Undefined):
        return None
    return [float(seed) for table in tables.values() for seed in table.mean(axis=1)]


def centers(found_L: Sequence[Interval]) -> list[float]:
    """Means; NaN for missing ones."""
    return [float("nan") if found.mean is None else found.mean for found in found_L]


def reaches(found_L: Sequence[Interval]) -> list[list[float]]:
    """How far each interval reaches below and above its mean; 0 where it has no bounds."""
    bounds = ([found.low for found in found_L], [found.high for found in found_L])
    return [
        [0.0 if bound is None or found.mean is None else abs(found.mean - bound)
         for found, bound in zip(found_L, of_side, strict=True)]
        for of_side in bounds
    ]  # fmt: skip


def draw_line(
    axis: Any, x_L: Sequence[float], found_L: Sequence[Interval], mark: Mark, label: str
) -> None:
    """Means joined by a line, with their intervals."""
    axis.errorbar(
        x_L, centers(found_L), yerr=reaches(found_L), color=mark.color, marker=mark.marker,
        markersize=3, linewidth=1.2, capsize=2, label=label,
    )  # fmt: skip


def draw_band(axis: Any, x_L: Sequence[float], found_L: Sequence[Interval], color: str) -> None:
    """Intervals as a band; none where one of them has no bounds."""
    low = [found.low for found in found_L if found.low is not None]
    high = [found.high for found in found_L if found.high is not None]
    if len(low) == len(high) == len(x_L):
        axis.fill_between(x_L, np.array(low), np.array(high), color=color, alpha=0.12, linewidth=0)
