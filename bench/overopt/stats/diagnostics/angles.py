"""Angles between directions in which weights have moved."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def angle_degrees(first: npt.ArrayLike, second: npt.ArrayLike) -> float | None:
    """Angle between two arrays of one shape, read as vectors, 0 to 180; None where one is 0.

    In high dimensions two random directions are at 90 degrees, to about 57 / sqrt(weights).

    Reference:
        WARP: On the Benefits of Weight Averaged Rewarded Policies, observation 4,
        https://arxiv.org/abs/2406.16768
    """
    one, other = (np.asarray(each, np.float64).ravel() for each in (first, second))
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    if norms == 0.0:
        return None
    return float(np.degrees(np.arccos(np.clip(one @ other / norms, -1.0, 1.0))))
