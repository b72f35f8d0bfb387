"""What was seen along stored runs, as monitors are shown it, beside the gold that judges them.

Looks of a run are the budgets that every seed reached, in the order of its steps. KL, length,
entropy and the reward are those of ``points.csv``; what needs further models comes from the table
that ``bench monitor`` writes beside it. Monitors are shown `Look` only: gold never reaches them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from overopt.errors import UserError
from overopt.monitors.contract import Look
from overopt.report.stored.files import names_of, numbers_of, read_optional_table
from overopt.report.stored.prompts import read_prompts
from overopt.report.stored.records import records_of
from overopt.report.stored.run import Run
from overopt.report.stored.schema import LEVELS
from overopt.spec.columns import SIGNAL_COLUMNS, SIGNALS_FILE, TWINS_FILE
from overopt.spec.monitor import WATCHED
from overopt.stats.arrays import Floats
from overopt.stats.rise_fall import PROMPTS_MIN, Budgets, ReachedBudgets, common_budgets

GROUP = ("world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons")
"""What the seeds that are scored together have in common."""
_TEXT = ("proxy", "noise", "proxy_start")
_SEEDS_LEAST = 2
Key = tuple[Any, ...]


class SeenRuns(NamedTuple):
    """The seeds of one method, proxy and noise in one world.

    Attributes:
        task, method: whose runs they are.
        identity: values of ``GROUP``.
        seeds: their numbers.
        budgets: gold and KL that judge, the initial policy in column 0.
        step_SK: steps of the looks.
        looks_S: what monitors are shown of each seed, the initial policy first.
        twins: looks of the twin of each seed that has one, by seed.
        by_prompt: whether gold was stored by prompt; where not, intervals are over seeds alone.
    """

    task: str
    method: str
    identity: dict[str, Any]
    seeds: tuple[int, ...]
    budgets: ReachedBudgets
    step_SK: Floats
    looks_S: tuple[tuple[Look, ...], ...]
    twins: dict[int, tuple[Look, ...]]
    by_prompt: bool = True


class NotScored(NamedTuple):
    """Runs that cannot be scored, and why."""

    name: str
    reason: str


def see_run(run: Run) -> tuple[list[SeenRuns], list[NotScored]]:
    """All groups of a stored run that monitors can be scored on, and the others.

    Raises:
        UserError: a table is damaged.
    """
    gold_of = read_prompts(run.folder, run.points)
    signals = _read_signals(run.folder / SIGNALS_FILE)
    twins = _read_signals(run.folder / TWINS_FILE)
    seen, left = [], []
    for values, rows in run.points.groupby(list(GROUP), dropna=False, sort=True):
        identity: dict[str, Any] = dict(zip(GROUP, values, strict=True))
        name = f"{run.points['method'].iloc[0]} {identity['proxy']} noise {identity['noise']}"
        name += f" world {identity['world']:g}"
        try:
            seen.append(_see(run, identity, rows, gold_of, signals, twins))
        except ValueError as error:
            left.append(NotScored(name, str(error)))
    return seen, left


def same_runs(one: SeenRuns, other: SeenRuns) -> bool:
    """Whether two folders hold the very same runs, as far as monitors are scored on them."""
    return (
        (one.task, one.method, one.seeds, one.looks_S, one.twins)
        == (other.task, other.method, other.seeds, other.looks_S, other.twins)
        and _key(one.identity, 0) == _key(other.identity, 0)
        and np.array_equal(one.budgets.gold_SKB, other.budgets.gold_SKB)
    )


def _see(
    run: Run,
    identity: dict[str, Any],
    rows: pd.DataFrame,
    gold_of: dict[int, Floats] | None,
    signals: dict[Key, dict[int, dict[str, float]]],
    twins: dict[Key, dict[int, dict[str, float]]],
) -> SeenRuns:
    if set(rows["along"]) != {"step"}:
        raise ValueError("it is no training run looked at along its steps")
    failed = sorted({int(seed) for seed in rows.loc[rows["status"] == "failed", "seed"]})
    if failed:
        raise ValueError(f"seed {', '.join(map(str, failed))} failed")
    ok = rows[rows["status"] == "ok"]
    seeds = tuple(sorted({int(seed) for seed in rows["seed"]}))
    if len(seeds) < _SEEDS_LEAST:
        raise ValueError("limits are set on other seeds, and it has one only")
    targets = sorted(set(rows["kl_target_nats"].dropna()))
    shape = (len(seeds), len(targets) + 1)
    by_prompt = gold_of is not None
    if gold_of is None:  # all prompts are the same one, whose interval is that over seeds
        pairs = zip(ok.index, ok["gold_mean"], strict=True)
        gold_of = {int(number): np.full(PROMPTS_MIN, gold) for number, gold in pairs}
    gold_SKB = np.full((*shape, next(iter(gold_of.values())).size), np.nan)
    kl_SK, step_SK = np.full(shape, np.nan), np.full(shape, np.nan)
    of_look: dict[tuple[int, int], dict[Any, Any]] = {}
    numbers = list(ok.index)
    for number, row in zip(numbers, records_of(ok), strict=True):
        s = seeds.index(int(row["seed"]))
        target = row["kl_target_nats"]
        initial = target != target and row["kl_nats"] == 0.0 and row["step"] == 0
        if target != target and not initial:
            continue  # a policy between budgets
        k = 0 if initial else 1 + targets.index(target)
        gold_SKB[s, k], kl_SK[s, k], step_SK[s, k] = (
            gold_of[int(number)],
            max(float(row["kl_nats"]), 0.0),
            float(row["step"]),
        )
        of_look[s, k] = row
    budgets = Budgets(gold_SKB, kl_SK, np.array([0.0, *targets]))
    (reached,) = common_budgets([budgets])
    kept_K = np.flatnonzero(np.isin([0.0, *targets], reached.kl_target_K))
    step_SK = step_SK[:, kept_K]
    if (np.diff(step_SK, axis=1) < 0).any():
        raise ValueError("a later budget was met at an earlier step")
    looks = tuple(
        tuple(_look(of_look[s, int(k)], signals.get(_key(identity, seed), {})) for k in kept_K)
        for s, seed in enumerate(seeds)
    )
    return SeenRuns(
        task=str(rows["task"].iloc[0]),
        method=" ".join([str(rows["method"].iloc[0]), *_levels(rows)]),
        identity=identity,
        seeds=seeds,
        budgets=reached,
        step_SK=step_SK[:, 1:],
        looks_S=looks,
        twins={
            seed: tuple(Look(step, **found) for step, found in sorted(mine.items()))
            for seed in seeds
            if (mine := _twin(twins, identity, seed))
        },
        by_prompt=by_prompt,
    )


def _levels(rows: pd.DataFrame) -> list[str]:
    """The settings by which a run differs from the usual ones, as far as it says so."""
    return sorted({str(level) for name in LEVELS for level in set(rows[name]) if level})


def _twin(
    twins: dict[Key, dict[int, dict[str, float]]], identity: dict[str, Any], seed: int
) -> dict[int, dict[str, float]]:
    return twins.get(_key(identity, seed), {})


def _key(identity: dict[str, Any], seed: int) -> Key:
    return (*(None if value != value else value for value in identity.values()), seed)


def _look(row: dict[Any, Any], signals: dict[int, dict[str, float]]) -> Look:
    """One look: what every run has from its point, the rest from the signals of its step."""
    step = int(row["step"])
    rb = row["kl_rb_nats"]
    beside = {name: value for name, value in signals.get(step, {}).items() if name in WATCHED}
    return Look(
        step=step,
        # what is exact is no practitioner's to see
        kl_nats=_number(row["kl_nats"] if rb != rb else rb),
        length=_number(row["length_mean"]),
        entropy_nats=_number(row["entropy_nats"]),
        reward=_number(row["proxy_mean"]),
        **beside,
    )


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _read_signals(path: Path) -> dict[Key, dict[int, dict[str, float]]]:
    """Rows of a table of signals by run and step; empty where there is none.

    Raises:
        UserError: a column is missing, a cell is no number, or a row names no run or step.
    """
    table = read_optional_table(path, SIGNAL_COLUMNS)
    for name in SIGNAL_COLUMNS:
        texts = [str(text) for text in table[name]]
        table[name] = (names_of if name in _TEXT else numbers_of)(texts, name, str(path))
    found: dict[Key, dict[int, dict[str, float]]] = {}
    for row in records_of(table):
        if row["seed"] != row["seed"] or row["step"] != row["step"]:
            raise UserError(f"{path}: a row names no seed or step; restore it or make it again.")
        identity = {name: row[name] for name in GROUP}
        found.setdefault(_key(identity, int(row["seed"])), {})[int(row["step"])] = {
            name: float(row[name]) for name in Look._fields[1:] if row[name] == row[name]
        }
    return found


def matrix_of(values: Sequence[Sequence[float | None]]) -> Floats:
    """Statistics of several runs as (S, K), NaN where nothing can be said."""
    return np.array(
        [[np.nan if value is None else value for value in one] for one in values], np.float64
    )
