"""Rise-and-fall tests of a run: per world, proxy, size and noise, paired over prompts and seeds."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from overopt.execution.store import Store
from overopt.run.pursuit import Found
from overopt.stats.intervals import paired_rise_fall

Floats = npt.NDArray[np.float64]

_PROMPTS_MIN = 4
"""A peak is chosen on one half of the prompts and tested on the other; each needs two."""


def contrast_rows(found: Sequence[Found], store: Store) -> list[dict[str, Any]]:
    """One row per (world, proxy, noise, start, proxy width, comparisons): peak, rise, fall.

    Groups in which a seed failed, or in which no budget was reached by all seeds, have no test
    and no row; nor has a task with fewer than 4 held-out prompts.
    """
    groups: dict[tuple[int, str, str, str, int | None, int], list[Found]] = {}
    for one in found:
        task = one.cell.task
        size = (task.proxy.start, task.proxy_width, task.proxy.comparisons)
        names = (one.cell.world, one.cell.proxy.name, one.cell.noise.label)
        groups.setdefault((*names, *size), []).append(one)
    rows = []
    for (world, proxy, noise, start, width, comparisons), members in groups.items():
        if any(one.points is None for one in members):
            continue
        budgets, gold_SKB = _stack([_by_budget(one, store) for one in members])
        if len(budgets) < 2 or gold_SKB.shape[2] < _PROMPTS_MIN:
            continue
        # Every world's held-out prompts are in random order; one fixed split serves all runs.
        test = paired_rise_fall(gold_SKB, np.random.default_rng(0))
        row: dict[str, Any] = {
            "world": world,
            "proxy": proxy,
            "noise": noise,
            "proxy_start": start,
            "proxy_width": width,
            "comparisons": comparisons,
            "seeds": test.n_seeds,
            "prompts": test.n_prompts,
            "peak_kl_target_nats": statistics.median_low([budgets[k] for k in test.peaks]),
            "last_kl_target_nats": budgets[test.last],
        }
        for name in ("rise", "fall"):
            for over in ("seeds", "prompts"):
                interval = getattr(test, f"{name}_{over}")
                row[f"{name}_mean"] = interval.mean
                row[f"{name}_{over}_low"] = interval.low
                row[f"{name}_{over}_high"] = interval.high
        row.update(rises=test.rises, falls=test.falls, exploratory=test.exploratory)
        rows.append(row)
    return rows


def _by_budget(one: Found, store: Store) -> dict[float, Floats]:
    """Per-prompt gold (B,) at each KL budget that the cell reached; 0 is the initial policy."""
    assert one.points is not None
    folder = store.open(one.points.key)
    assert folder is not None
    points = json.loads((folder / "points.json").read_text())
    table = pq.read_table(folder / "prompts.parquet")
    point_N = np.asarray(table["point"])
    gold_N = np.asarray(table["gold"], dtype=np.float64)
    found: dict[float, Floats] = {}
    for k, point in enumerate(points):
        budget = 0.0 if k == 0 else point.get("kl_target_nats")
        if point["status"] == "ok" and budget is not None:
            found[budget] = gold_N[point_N == k]
    return found


def _stack(seeds: Sequence[dict[float, Floats]]) -> tuple[list[float], Floats]:
    """The budgets met by every seed, the initial policy (0) first, and gold (S, K, B) there."""
    budgets = sorted(set[float].intersection(*(set(one) for one in seeds)))
    gold_SKB = np.stack([np.stack([one[budget] for budget in budgets]) for one in seeds])
    return budgets, gold_SKB
