"""Whole distributions of seeds, beside their means: chances to be better, and profiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, check_finite


def probability_of_improvement(x_WS: Sequence[ArrayLike], y_WS: Sequence[ArrayLike]) -> float:
    """P(X > Y): the chance that a seed of one method beats a seed of another in the same world.

    (1 / W) sum_w (1 / (S_x S_y)) sum_ij [x_wi > y_wj] + [x_wi = y_wj] / 2. All seeds of one are
    set against all of the other, not seed against seed, so that it tells of two runs of somebody
    else. It carries no interval: with 5 seeds a bootstrap covers far less than it promises.

    Args:
        x_WS: scores of the one method, per world and seed.
        y_WS: scores of the other, in the same worlds.

    Raises:
        ValueError: if there is no world or no seed, worlds differ, or a value is NaN or infinite.

    Reference:
        Agarwal, Schwarzer, Castro, Courville and Bellemare, "Deep Reinforcement Learning at the
        Edge of the Statistical Precipice", 2021, section 4.3, https://arxiv.org/abs/2108.13264.
    """
    if not x_WS:
        raise ValueError("there is no world")
    chances = []
    for x_S, y_S in zip(x_WS, y_WS, strict=True):
        x, y = check_finite(x_S, "x"), check_finite(y_S, "y")
        chances.append(float(np.mean((x[:, None] > y) + 0.5 * (x[:, None] == y))))
    return float(np.mean(chances))


def performance_profile(x_WS: Sequence[ArrayLike], tau_T: ArrayLike) -> Floats:
    """Share of runs that score above each threshold: (1 / W) sum_w (1 / S) sum_s [x_ws > tau].

    Args:
        x_WS: scores of a method, per world and seed.
        tau_T: thresholds.

    Returns:
        Shape (T,), from 1 down to 0 as the thresholds ascend.

    Raises:
        ValueError: if there is no world or no seed, or a value is NaN or infinite.

    Reference:
        Agarwal et al., as above, section 4.2.
    """
    if not x_WS:
        raise ValueError("there is no world")
    tau = check_finite(tau_T, "thresholds")
    shares = [(check_finite(x_S, "scores")[:, None] > tau).mean(axis=0) for x_S in x_WS]
    return np.asarray(np.mean(shares, axis=0), np.float64)
