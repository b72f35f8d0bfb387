"""The interquartile mean of all runs of a method, over worlds and seeds, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, check_finite
from overopt.stats.students_t import t_half_width
from overopt.stats.world_means import ACROSS_FROM

_QUARTER = 0.25


class Interquartile(NamedTuple):
    """A method's interquartile mean.

    Attributes:
        mean: mean of the middle half of all runs.
        low: lower bound of the 95 % interval; None where there is none.
        high: upper bound, likewise.
        over: what the interval takes for random: ``worlds``, or ``seeds`` in these worlds.
    """

    mean: float
    low: float | None
    high: float | None
    over: str


def interquartile_mean(values_N: ArrayLike) -> float:
    """Mean of the middle half of the values, those on its edges counted in part.

    With n values in order, value i covers the part ((i - 1) / n, i / n) of the distribution, and
    counts by how much of it lies in (1/4, 3/4). With n a multiple of 4 this is the mean of the
    middle n / 2 values. Cutting whole values instead, as `scipy.stats.trim_mean` does, keeps 3 of 5
    values, 60 %, and 9 of 15, and would compare studies of other sizes by other scores.

    Raises:
        ValueError: if there is no value, or one is NaN or infinite.

    Reference:
        Agarwal, Schwarzer, Castro, Courville and Bellemare, "Deep Reinforcement Learning at the
        Edge of the Statistical Precipice", 2021, section 4.3, https://arxiv.org/abs/2108.13264.
    """
    values = np.sort(check_finite(values_N, "values").ravel())
    if not values.size:
        raise ValueError("an interquartile mean needs at least one value")
    edge = np.linspace(0.0, 1.0, values.size + 1)
    inside = np.minimum(edge[1:], 1.0 - _QUARTER) - np.maximum(edge[:-1], _QUARTER)
    weight_N = np.maximum(inside, 0.0)
    return float(values @ weight_N / weight_N.sum())


def interquartile(values_WS: Sequence[ArrayLike], level: float = 0.95) -> Interquartile:
    """The interquartile mean of all runs of all worlds, with an interval.

    From 3 worlds on, for any world of the kind: a jackknife that leaves out a world at a time, with
    W - 1 degrees of freedom. With one or two, for these worlds: Tukey and McLaughlin's t of a
    trimmed mean, from the winsorized spread of the seeds around their worlds' means,
        SE^2 = s_w^2 / (h / n)^2 / n,   df = h (S - 1) / S,   h = n - 2 floor(n / 4),   n = W S.
    With normal runs, and with t of 3 degrees of freedom, 5 seeds, and worlds that differ or do not,
    400 simulated studies each: the jackknife covered in 92 to 96 % with 3 and 5 worlds; Tukey and
    McLaughlin's t in 92 to 93 % with 1 world and 5 seeds, too little by a hair. A percentile
    bootstrap stratified by world, as the reference recommends, covered in 90 to 92 %.

    Args:
        values_WS: score of each run, by world; at least one world.
        level: coverage that the interval aims at.

    Raises:
        ValueError: if there is no world, a world has no run, or a value is NaN or infinite.

    Reference:
        Tukey and McLaughlin, "Less Vulnerable Confidence and Significance Procedures for Location
        Based on a Single Sample", 1963 (from memory); the jackknife: Quenouille, 1956 (likewise);
        both checked by simulation.
    """
    worlds = [check_finite(one, "scores") for one in values_WS]
    if not worlds or not all(one.size for one in worlds):
        raise ValueError("an interquartile mean needs at least one world, each with a run")
    mean = interquartile_mean(np.concatenate(worlds))
    if len(worlds) >= ACROSS_FROM:
        half = _jackknife(worlds, mean, level)
        return Interquartile(mean, mean - half, mean + half, "worlds")
    found = _winsorized(worlds, level)
    if found is None:
        return Interquartile(mean, None, None, "seeds")
    return Interquartile(mean, mean - found, mean + found, "seeds")


def _jackknife(worlds: Sequence[Floats], mean: float, level: float) -> float:
    """Half width from pseudo-values W m - (W - 1) m_(-w)."""
    n = len(worlds)
    without = [
        interquartile_mean(np.concatenate([*worlds[:w], *worlds[w + 1 :]])) for w in range(n)
    ]
    pseudo = n * mean - (n - 1) * np.array(without)
    return t_half_width(float(pseudo.std(ddof=1)) / n**0.5, n - 1, level)


def _winsorized(worlds: Sequence[Floats], level: float) -> float | None:
    """Half width from seeds; None where a world has a single one."""
    if min(one.size for one in worlds) < 2:
        return None
    off = np.concatenate(
        [(one - one.mean()) * (one.size / (one.size - 1)) ** 0.5 for one in worlds]
    )
    n = off.size
    cut = n // 4
    kept = n - 2 * cut
    ordered = np.sort(off)
    winsorized = np.clip(off, ordered[cut], ordered[n - cut - 1])
    se = float(winsorized.std(ddof=1)) / (kept / n) / n**0.5
    df = max(kept * (n - len(worlds)) / n, 1.0)
    return t_half_width(se, df, level)
