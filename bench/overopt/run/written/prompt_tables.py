"""What the seeds of a run did prompt by prompt, grouped by what they have in common."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from overopt.execution.store import Store
from overopt.run.cell import Found
from overopt.run.written.seed_tables import Floats, SeedGroup, SeedTable
from overopt.spec.run import Along
from overopt.stats.equal_kl import SeedPoints, first_readable


def seed_groups(found: Sequence[Found], store: Store, along: Along) -> list[SeedGroup]:
    """Cells grouped by world, proxy system, noise, start and width of proxies, and comparisons.

    Args:
        found: the cells, of one method.
        store: where their points are.
        along: what moved the method along KL.
    """
    groups: dict[tuple[Any, ...], SeedGroup] = {}
    for one in found:
        identity = {
            "world": one.cell.world,
            "proxy": one.cell.proxy.name,
            "noise": one.cell.noise_label,
            "proxy_start": one.cell.task.proxy.start,
            "proxy_width": one.cell.task.proxy_width,
            "comparisons": one.cell.task.proxy.comparisons,
        }
        key = tuple(identity.values())
        group = groups.get(key, SeedGroup(identity, [], 0))
        tables = group.tables if one.points is None else [*group.tables, _read(one, store, along)]
        groups[key] = SeedGroup(identity, tables, group.n_run + 1)
    return list(groups.values())


def _read(one: Found, store: Store, along: Along) -> SeedTable:
    """Every measured policy of a cell whose estimated KL has a root."""
    assert one.points is not None
    folder = store.open(one.points.key)
    assert folder is not None, "a finished cell's points are in the store"
    points = json.loads((folder / "points.json").read_text())
    table = pq.read_table(folder / "prompts.parquet")
    point_N = np.asarray(table["point"])
    used = [k for k, point in enumerate(points) if point["status"] == "ok"]
    used = [k for k in used if points[k]["kl_nats"] >= 0.0]

    def stacked(name: str) -> Floats:
        value_N = np.asarray(table[name], dtype=np.float64)
        return np.stack([value_N[point_N == k] for k in used])

    target_K = [points[k].get("kl_target_nats") for k in used]
    kl_K = np.array([points[k]["kl_nats"] for k in used], np.float64)
    missed = [
        float(point["kl_target_nats"])
        for point in points
        if point["status"] == "unreached" and along == "step"
    ]
    return SeedTable(
        SeedPoints(
            kl_K,
            np.array([np.nan if target is None else target for target in target_K], np.float64),
            first_readable(kl_K, missed),
        ),
        stacked("gold"),
        stacked("proxy"),
    )
