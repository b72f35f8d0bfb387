"""Shapes of one column along a run: where it jumps, and how it bends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import check_finite, check_same_shape

LEAST = 4
"""Points that a jump or a bend is read from, at least."""


class NoJump(ValueError):
    """A column that was measured has no jump."""


def change_point(x_K: ArrayLike, y_K: ArrayLike) -> float:
    """Where a column jumps to a higher level: between the two points of x that part it best.

    Of all cuts of the points in the order of x whose upper part is higher in the mean, the one
    that leaves the least sum of squares around the means of both parts; halfway between the last
    point before and the first one after it.

    Args:
        x_K: place of each point, all different.
        y_K: the column.

    Raises:
        NoJump: no upper part is higher.
        ValueError: there are fewer than 4 points.
    """
    x, y = check_finite(x_K, "places"), check_finite(y_K, "values")
    check_same_shape(x, y, "places and values")
    if x.size < LEAST or np.unique(x).size < x.size:
        raise ValueError(f"a change needs {LEAST} points at different places, got {x.size}")
    order = np.argsort(x)
    x, y = x[order], y[order]
    best: tuple[float, float] | None = None
    for cut in range(1, x.size):
        before, after = y[:cut], y[cut:]
        if after.mean() > before.mean():
            left = float(np.square(before - before.mean()).sum())
            left += float(np.square(after - after.mean()).sum())
            if best is None or left < best[0]:
                best = left, float(x[cut - 1] + x[cut]) / 2.0
    if best is None:
        raise NoJump("it never rises")
    return best[1]


class Parabola(NamedTuple):
    """y = a + start x + bend x^2: the slope at x = 0, and the quadratic term."""

    start: float
    bend: float


def parabola(x_K: ArrayLike, y_K: ArrayLike) -> Parabola:
    """Least squares of a parabola.

    Raises:
        ValueError: there are fewer than 4 different places.
    """
    x, y = check_finite(x_K, "places"), check_finite(y_K, "values")
    check_same_shape(x, y, "places and values")
    if np.unique(x).size < LEAST:
        raise ValueError(
            f"a bend needs points at {LEAST} different places, got {np.unique(x).size}"
        )
    scale = float(np.abs(x).max())
    design = np.vander(x / scale, 3, increasing=True)
    _, start, bend = np.linalg.lstsq(design, y, rcond=None)[0]
    return Parabola(float(start) / scale, float(bend) / scale**2)
