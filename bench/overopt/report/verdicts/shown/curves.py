"""Curves of a paper's figure: means over seeds and worlds, at the places that all of them have."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from overopt.report.verdicts.arms import ArmRows, SeedRows
from overopt.stats.arrays import Floats
from overopt.stats.intervals import Interval, t_interval


class Curve(NamedTuple):
    """One arm along an axis: x ascending, and y with its interval over seeds.

    ``apart`` is the place of the initial policy where every seed leapt from it over a budget, so
    that no line belongs between the two.
    """

    x_K: list[float]
    over_K: list[Interval]
    apart: int | None = None


def seeds_of(rows: ArmRows | None) -> list[SeedRows]:
    """The seeds of all worlds."""
    return [] if rows is None else [one for of_world in rows.worlds.values() for one in of_world]


def read_curve(x: str, rows: ArmRows | None, column: str, estimator: str = "") -> Curve | None:
    """A column of an arm along an x axis; None where nothing of it was stored.

    Args:
        x: what runs along the x axis, as `verdicts.figure.Figure.x`.
        rows: what was measured of the arm.
        column: of ``points.csv``, or of a table beside it.
        estimator: the column of KL that x is made of; empty for ours.
    """
    seeds = seeds_of(rows)
    curves = [_points(x, seed, column, estimator) for seed in seeds]
    if not curves:
        return None
    whole = [key for key in curves[0] if all(key in curve for curve in curves)]
    x_of = {key: float(np.mean([curve[key][0] for curve in curves])) for key in whole}
    keys = sorted(whole, key=lambda key: x_of[key])
    if not keys:
        return None
    leap = all(seed.from_nats > 0.0 for seed in seeds) and _INITIAL in keys
    return Curve(
        [x_of[key] for key in keys],
        [t_interval([curve[key][1] for curve in curves]) for key in keys],
        keys.index(_INITIAL) if leap else None,
    )


def policies_of(x: str, rows: ArmRows, column: str) -> tuple[list[float], list[float]]:
    """x and y of every policy past the initial one, of all seeds, that was measured in both."""
    x_P, y_P = list[float](), list[float]()
    for seed in seeds_of(rows):
        if column in seed.columns:
            x_K, y_K = _places(x, seed, ""), seed.column(column)
            there = (seed.kl_K > 0.0) & np.isfinite(x_K) & np.isfinite(y_K)
            x_P += x_K[there].tolist()
            y_P += y_K[there].tolist()
    return x_P, y_P


Key = tuple[str, float]
"""What points of several seeds have in common: a budget, a value of the knob, or a step."""

_INITIAL: Key = ("budget", 0.0)


def _points(x: str, rows: SeedRows, column: str, estimator: str) -> dict[Key, tuple[float, float]]:
    """x and y of one seed's points; none of what was not stored."""
    if x == "step" and column in rows.training:
        step_T = rows.training["step"]
        return _finite("step", step_T, step_T, rows.training[column])
    if column != "kl_nats" and column not in rows.columns:
        return {}
    y_K = rows.column(column)
    x_K = _places(x, rows, estimator)
    target_K = np.where(rows.kl_K == 0.0, 0.0, rows.target_K)
    knob_K = np.where(np.isnan(target_K), rows.columns["knob_value"], np.nan)
    told_K = rows.columns["knob_value"][rows.kl_K > 0.0]
    if (
        np.unique(told_K[np.isfinite(told_K)]).size < 2
    ):  # along step: the knob tells no places apart
        knob_K = np.full_like(knob_K, np.nan)
    return _finite("budget", target_K, x_K, y_K) | _finite("knob", knob_K, x_K, y_K)


_STORED = {
    "sqrt_forward_kl": "forward_kl_nats",
    "proxy": "proxy_mean",
    "samples": "samples_drawn",
}
"""Columns of x axes that do not have their names."""


def _places(x: str, rows: SeedRows, estimator: str) -> Floats:
    """Where the points of a seed lie along an x axis, (K,); NaN where that was not stored."""
    if x in ("kl", "sqrt_kl"):
        kl_K = rows.columns[estimator] if estimator else rows.kl_K
        x_K = np.where(rows.kl_K == 0.0, 0.0, kl_K)
        return np.asarray(np.sqrt(np.maximum(x_K, 0.0)) if x == "sqrt_kl" else x_K, np.float64)
    x_K = rows.columns.get(_STORED.get(x, x), np.full_like(rows.kl_K, np.nan))
    return np.asarray(np.sqrt(x_K) if x == "sqrt_forward_kl" else x_K, np.float64)


def _finite(kind: str, key_K: Floats, x_K: Floats, y_K: Floats) -> dict[Key, tuple[float, float]]:
    there = np.isfinite(key_K) & np.isfinite(x_K) & np.isfinite(y_K)
    triples = zip(key_K[there], x_K[there], y_K[there], strict=True)
    return {(kind, float(key)): (float(x), float(y)) for key, x, y in triples}
