"""Groups: the seeds of one method, proxy and noise, with their curves, peak and end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from overopt.report.curves import mean_curve, seed_curve
from overopt.report.group import (
    QUANTITIES,
    Failure,
    Group,
    Size,
    Unreached,
)
from overopt.report.noise_labels import noise_order
from overopt.report.places import find_places
from overopt.report.stored.records import records_of
from overopt.report.stored.results import Results
from overopt.report.stored.run import Run
from overopt.report.stored.schema import GROUP

Rows = Mapping[str, NDArray[Any]]
"""Columns of some points."""
Key = tuple[str | float | None, ...]
_SIZES = ("world", "proxy_width", "comparisons")
_COLUMNS = (
    *("task_label", "method_label", "proxy_label", "proxy", "noise", "proxy_start", *_SIZES),
    *("seed", "along", "status", "kl_nats", "kl_target_nats", "kl_estimator", "n_prompts"),
    *("gold_mean", "gold_gain_se", "proxy_mean"),
)
"""What groups are made of."""

Tell = Callable[[int, int], None]
"""Called with how many of how many groups are done."""


def group_results(results: Results, tell: Tell = lambda done, of: None) -> list[Group]:
    """All groups of the runs, with the peaks and ends that were stored with them."""
    return group_points(results.points, results.runs, tell)


def group_points(
    points: pd.DataFrame, runs: Sequence[Run] = (), tell: Tell = lambda done, of: None
) -> list[Group]:
    """Split labeled points into groups, ordered by task, method, proxy, amount of noise, world.

    Args:
        points: labeled rows of ``points.csv``.
        runs: where peaks and means were stored; without them they come from the points.
        tell: is told how the work goes.
    """
    groups = []
    columns = {
        name: points[name].to_numpy(object if points[name].dtype.kind not in "fiub" else None)
        for name in (*_COLUMNS, *(("source",) if "source" in points.columns else ()))
    }
    number_R = points.groupby([*GROUP, "version"], dropna=False, sort=False).ngroup().to_numpy()
    order_R = np.argsort(number_R, kind="stable")
    parts = np.split(order_R, np.flatnonzero(np.diff(number_R[order_R])) + 1)
    of_run = {i: StoredRows(run) for i, run in enumerate(runs)}
    for part_R in parts:
        rows = {name: column[part_R] for name, column in columns.items()}
        groups.append(_group(rows, of_run))
        tell(len(groups), len(parts))
    worlds_of: dict[str, set[int]] = {}
    for group in groups:
        worlds_of.setdefault(group.task, set()).add(group.world)
    named = [
        replace(group, where=f"world {group.world}") if len(worlds_of[group.task]) > 1 else group
        for group in groups
    ]
    return sorted(named, key=_order)


def _order(group: Group) -> tuple[object, ...]:
    return group.task, group.method, group.proxy, noise_order(group.noise), group.world


def curve_table(groups: Sequence[Group]) -> pd.DataFrame:
    """Mean curves in tidy form: one row per group, quantity and KL."""
    rows = [
        {
            **group.identity,
            "quantity": quantity,
            "kl_target_nats": mean.kl_target_nats,
            "kl_nats": mean.kl_nats,
            "achieved_kl_nats": mean.achieved_kl_nats,
            "kl_estimator": group.estimator,
            "mean": mean.score.mean,
            "low": mean.score.low,
            "high": mean.score.high,
            "se": mean.score.se,
            "interval_over": mean.score.over,
            "seeds": mean.score.n_seeds,
            "seeds_run": group.n_seeds,
            "exploratory": group.exploratory or mean.score.exploratory,
        }
        for group in groups
        for quantity in QUANTITIES
        for mean in group.means[quantity]
    ]
    return pd.DataFrame(rows)


class StoredRows:
    """The tests and means that a run stored, found by what a group's rows have in common."""

    def __init__(self, run: Run) -> None:
        self.contrasts = _by_key(records_of(run.contrasts), _SIZES)
        self.budgets = _by_key(records_of(run.budgets), _SIZES)
        self.worlds = _by_key(run.world_rows, _SIZES[1:])


def _by_key(
    rows: Iterable[dict[Any, Any]], numbers: Sequence[str]
) -> dict[Key, list[dict[Any, Any]]]:
    found: dict[Key, list[dict[Any, Any]]] = {}
    for row in rows:
        # the very objects: one row of worlds.csv is known by its identity
        found.setdefault(_key(row, numbers), []).append(row)
    return found


def _key(row: Mapping[Any, Any], numbers: Sequence[str]) -> Key:
    """What tells the rows of a group from others of its run; None for a missing number."""
    texts = tuple(str(row[name]) for name in ("proxy", "noise", "proxy_start"))
    values = (float(row[name]) for name in numbers)
    return texts + tuple(None if math.isnan(value) else value for value in values)


def _group(rows: Rows, of_run: Mapping[int, StoredRows]) -> Group:
    first = {name: column[0] for name, column in rows.items()}
    ok_R = rows["status"] == "ok"
    usable = _where(rows, ok_R & (rows["kl_nats"] >= 0))
    missed = _where(rows, rows["status"] == "unreached")
    curves = tuple(
        seed_curve(
            int(seed),
            _where(usable, usable["seed"] == seed),
            missed["kl_target_nats"][
                (missed["seed"] == seed) & (missed["along"] == "step")
            ].tolist(),
        )
        for seed in np.unique(usable["seed"])
    )
    moved = _where(usable, usable["kl_nats"] > 0)
    stored = _only_run(rows, of_run)
    n_seeds = len(set(rows["seed"]))
    key = _key(first, _SIZES)
    tests = stored.contrasts.get(key, []) if stored else []
    worlds = stored.worlds.get(_key(first, _SIZES[1:]), []) if stored else []
    budgets = stored.budgets.get(key, []) if stored else []
    unreached = _unreached(missed)
    were_set = bool(unreached)
    own_tests = [row for row in tests if row["seeds"] == n_seeds]
    return Group(
        task=str(first["task_label"]),
        worlds=(int(first["world"]),),
        where="",
        method=str(first["method_label"]),
        proxy=str(first["proxy_label"]),
        noise=str(first["noise"]),
        seeds=curves,
        n_seeds=n_seeds,
        places=find_places(curves, n_seeds, own_tests, were_set),
        means={name: mean_curve(curves, name, budgets, were_set) for name in QUANTITIES},
        unreached=unreached,
        failures=_failures(rows, moved),
        n_negative=int(ok_R.sum()) - len(usable["seed"]),
        estimator="+".join(sorted(set(moved["kl_estimator"]))),
        over_worlds=worlds[0] if worlds else None,
        size=Size(
            f"{first['proxy']}, from {first['proxy_start']}"
            if first["proxy_start"]
            else str(first["proxy"]),
            float(first["proxy_width"]),
            float(first["comparisons"]),
        ),
    )


def _where(rows: Rows, there_R: NDArray[np.bool_]) -> Rows:
    return {name: column[there_R] for name, column in rows.items()}


def _unreached(rows: Rows) -> tuple[Unreached, ...]:
    missed: dict[float, set[float]] = {}
    for target, seed in zip(rows["kl_target_nats"], rows["seed"], strict=True):
        missed.setdefault(float(target), set()).add(float(seed))
    return tuple(Unreached(target, len(missed[target])) for target in sorted(missed))


def _only_run(rows: Rows, of_run: Mapping[int, StoredRows]) -> StoredRows | None:
    """The run that all rows of a group are of; None where several runs had a part in it."""
    sources = set(rows.get("source", ()))
    return of_run[int(sources.pop())] if len(sources) == 1 and of_run else None


def _failures(rows: Rows, moved: Rows) -> tuple[Failure, ...]:
    measured = {int(seed) for seed in moved["seed"]}
    broken = sorted({int(seed) for seed in _where(rows, rows["status"] == "failed")["seed"]})
    return tuple(Failure(seed, seed not in measured) for seed in broken)
