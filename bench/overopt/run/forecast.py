"""What a run would do and cost: stages cached and new, wall time, memory and disk.

Where a stage never ran on a task in this store, measurements on one core of a laptop stand in.
These are estimates, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from overopt.execution.costs import Cost, Costs, free_bytes
from overopt.execution.node import Node
from overopt.execution.status import status
from overopt.execution.store import Store
from overopt.run.graph import STAGES

_MEMORY_BYTES = 900_000_000

# Seconds, and bytes on disk, of one stage on the default task; one core of a 2-core laptop.
_FIRST_COST: dict[str, Cost] = {
    "initial": Cost(20.0, 600_000, _MEMORY_BYTES),
    "gold": Cost(20.0, 800_000, _MEMORY_BYTES),
    "pool": Cost(20.0, 4_000_000, _MEMORY_BYTES),
    "pairs": Cost(2.0, 100_000, _MEMORY_BYTES),
    "labels": Cost(0.5, 120_000, _MEMORY_BYTES),
    "proxy": Cost(6.0, 250_000, _MEMORY_BYTES),
    "score": Cost(4.0, 900_000, _MEMORY_BYTES),
    "front": Cost(1.0, 2_000, _MEMORY_BYTES),
    "optimize": Cost(30.0, 6_000_000, _MEMORY_BYTES),
    "merge": Cost(10.0, 6_000_000, _MEMORY_BYTES),
    "evaluate": Cost(7.0, 900_000, _MEMORY_BYTES),
    "measure": Cost(1.0, 60_000, _MEMORY_BYTES),
    "select": Cost(4.0, 60_000, _MEMORY_BYTES),
}
_UNKNOWN_COST = Cost(10.0, 1_000_000, _MEMORY_BYTES)


def expected_costs(root: Path, first_s: Mapping[str, float] | None = None) -> Costs:
    """Expected costs of stages from the receipts of a store.

    Args:
        root: the store's folder.
        first_s: seconds of one stage where it never ran, by stage, instead of the default task's.
    """
    first = {
        f"{STAGES}.{stage}": replace(cost, wall_s=(first_s or {}).get(stage, cost.wall_s))
        for stage, cost in _FIRST_COST.items()
    }
    return Costs(root, first, _UNKNOWN_COST)


@dataclass(frozen=True)
class StageForecast:
    """One kind of stage in a plan: how many are cached and new, and what the new ones cost."""

    stage: str
    cached: int
    new: int
    wall_s: float
    disk_bytes: int


@dataclass(frozen=True)
class Forecast:
    """A plan: stages in order of the data flow, and totals.

    wall_s: with all workers busy, never less than the longest chain of stages.
    memory_bytes: of all workers together. free_bytes: left on the store's disk.
    """

    stages: tuple[StageForecast, ...]
    wall_s: float
    memory_bytes: int
    disk_bytes: int
    free_bytes: int


def forecast(
    nodes: Sequence[Node],
    store: Store,
    workers: int,
    first_s: Mapping[str, float] | None = None,
) -> Forecast:
    """Look the nodes and all that they need up in the store, and add up what is missing."""
    costs = expected_costs(store.root, first_s)
    rows: dict[str, list[float]] = {}
    chain_s: dict[str, float] = {}
    memory_bytes = 0
    for one in status(nodes, store):
        row = rows.setdefault(one.node.name, [0, 0, 0.0, 0])
        longest_s = max((chain_s[given.key] for _, given in one.node.inputs), default=0.0)
        chain_s[one.node.key] = longest_s
        if one.state == "cached":
            row[0] += 1
        elif one.state == "new":
            cost = costs.expected(one.node.stage, one.node.kind)
            row[1] += 1
            row[2] += cost.wall_s
            row[3] += cost.disk_bytes
            chain_s[one.node.key] += cost.wall_s
            memory_bytes = max(memory_bytes, cost.memory_bytes)
    stages = tuple(
        StageForecast(stage, int(row[0]), int(row[1]), row[2], int(row[3]))
        for stage, row in rows.items()
    )
    work_s = sum(one.wall_s for one in stages) / workers
    return Forecast(
        stages=stages,
        wall_s=max(work_s, max(chain_s.values(), default=0.0)),
        memory_bytes=memory_bytes * min(workers, sum(one.new for one in stages)),
        disk_bytes=sum(one.disk_bytes for one in stages),
        free_bytes=free_bytes(store.root),
    )
