"""Groups: the seeds of one method, proxy and noise, with their curves, peak and end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

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
from overopt.report.stored.results import Results
from overopt.report.stored.run import Run
from overopt.report.stored.schema import GROUP
from overopt.spec.columns import BUDGET_COLUMNS, CONTRAST_COLUMNS

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
    parts = points.groupby([*GROUP, "version"], dropna=False, sort=False)
    for _, rows in parts:
        groups.append(_group(rows, runs))
        tell(len(groups), parts.ngroups)
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
            "exploratory": mean.score.exploratory,
        }
        for group in groups
        for quantity in QUANTITIES
        for mean in group.means[quantity]
    ]
    return pd.DataFrame(rows)


def _group(rows: pd.DataFrame, runs: Sequence[Run]) -> Group:
    first = rows.iloc[0]
    ok = rows[rows["status"] == "ok"]
    usable = ok[ok["kl_nats"] >= 0]
    curves = tuple(seed_curve(int(float(str(seed))), part) for seed, part in usable.groupby("seed"))
    missed = rows[rows["status"] == "unreached"].groupby("kl_target_nats")["seed"].nunique()
    moved = usable[usable["kl_nats"] > 0]
    run = _only_run(rows, runs)
    n_seeds = int(rows["seed"].nunique())
    tests = _of_group(run.contrasts, first) if run else pd.DataFrame(columns=list(CONTRAST_COLUMNS))
    stored = _of_group(run.budgets, first) if run else pd.DataFrame(columns=list(BUDGET_COLUMNS))
    return Group(
        task=str(first["task_label"]),
        worlds=(int(first["world"]),),
        where="",
        method=str(first["method_label"]),
        proxy=str(first["proxy_label"]),
        noise=str(first["noise"]),
        seeds=curves,
        n_seeds=n_seeds,
        places=find_places(curves, n_seeds, tests[tests["seeds"] == n_seeds]),
        means={name: mean_curve(curves, name, stored) for name in QUANTITIES},
        unreached=tuple(
            Unreached(float(str(target)), int(count)) for target, count in missed.items()
        ),
        failures=_failures(rows, moved),
        n_negative=len(ok) - len(usable),
        estimator="+".join(sorted(set(moved["kl_estimator"]))),
        over_worlds=_over_worlds(run, first),
        size=Size(
            " ".join(filter(None, (str(first["proxy"]), str(first["proxy_start"] or "")))),
            float(first["proxy_width"]),
            float(first["comparisons"]),
        ),
    )


def _only_run(rows: pd.DataFrame, runs: Sequence[Run]) -> Run | None:
    """The run that all rows of a group are of; None where several runs had a part in it."""
    sources = set(rows["source"]) if "source" in rows.columns else set()
    return runs[int(sources.pop())] if len(sources) == 1 and runs else None


def _over_worlds(run: Run | None, first: pd.Series[str]) -> Mapping[Any, Any] | None:
    """The row of ``worlds.csv`` that a group has a part in, the same object for all its worlds."""
    if run is None:
        return None
    mine = _of_group(run.worlds, first, ("proxy_width", "comparisons"))
    return run.world_rows[mine.index[0]] if len(mine) else None


def _of_group(
    table: pd.DataFrame,
    first: pd.Series[str],
    numbers: Sequence[str] = ("world", "proxy_width", "comparisons"),
) -> pd.DataFrame:
    """The stored rows of a group."""
    mine = pd.Series(True, table.index)
    for name in ("proxy", "noise", "proxy_start"):
        mine &= table[name] == first[name]
    for name in numbers:
        mine &= (table[name] == first[name]) | (table[name].isna() & pd.isna(first[name]))
    return table[mine]


def _failures(rows: pd.DataFrame, moved: pd.DataFrame) -> tuple[Failure, ...]:
    measured = {int(seed) for seed in moved["seed"]}
    broken = sorted({int(seed) for seed in rows[rows["status"] == "failed"]["seed"]})
    return tuple(Failure(seed, seed not in measured) for seed in broken)
