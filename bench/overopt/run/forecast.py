"""What a run would do and cost: stages cached and new, wall time, memory and disk.

Costs are medians of what the same stage has cost in this store, for the same kind of work in the
same task; where it never ran, measurements on one core of a laptop stand in. They are estimates,
and say so.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from overopt.execution.artifact import Receipt
from overopt.execution.costs import free_bytes, read_history
from overopt.execution.node import Node
from overopt.execution.status import status
from overopt.execution.store import Store

# Seconds, and bytes on disk, of one stage on the default task; one core of a 2-core laptop.
_FIRST_COST: dict[str, tuple[float, int]] = {
    "initial": (20.0, 600_000),
    "gold": (20.0, 800_000),
    "pool": (20.0, 4_000_000),
    "pairs": (2.0, 100_000),
    "labels": (0.5, 120_000),
    "proxy": (6.0, 250_000),
    "score": (4.0, 900_000),
    "front": (1.0, 2_000),
    "optimize": (30.0, 6_000_000),
    "merge": (10.0, 6_000_000),
    "evaluate": (7.0, 900_000),
    "measure": (1.0, 60_000),
    "select": (4.0, 60_000),
}
_UNKNOWN_COST = (10.0, 1_000_000)
_FIRST_MEMORY_BYTES = 900_000_000


class Costs:
    """Expected cost of nodes, from the receipts of a store.

    first_s: seconds of one stage where it never ran, by stage, instead of the default task's.
    """

    def __init__(self, root: Path, first_s: Mapping[str, float] | None = None) -> None:
        self._first_s = first_s or {}
        receipts: dict[tuple[str, str], list[Receipt]] = defaultdict(list)
        for receipt in read_history(root):
            receipts[receipt.stage, receipt.kind].append(receipt)
        self._receipts = receipts

    def wall_s(self, made: Node) -> float:
        """Expected seconds on one worker."""
        known = self._receipts.get((made.stage, made.kind))
        if known:
            return statistics.median(receipt.wall_s for receipt in known)
        return self._first_s.get(made.stage, _FIRST_COST.get(made.stage, _UNKNOWN_COST)[0])

    def disk_bytes(self, made: Node) -> int:
        """Expected bytes of the artifact."""
        known = self._receipts.get((made.stage, made.kind))
        if known:
            return int(statistics.median(receipt.size_bytes for receipt in known))
        return _FIRST_COST.get(made.stage, _UNKNOWN_COST)[1]

    def memory_bytes(self, made: Node) -> int:
        """Expected peak memory of the worker."""
        known = self._receipts.get((made.stage, made.kind))
        if known:
            return max(receipt.peak_memory_bytes for receipt in known)
        return _FIRST_MEMORY_BYTES


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
    costs = Costs(store.root, first_s)
    rows: dict[str, list[float]] = {}
    chain_s: dict[str, float] = {}
    memory_bytes = 0
    for one in status(nodes, store):
        row = rows.setdefault(one.node.stage, [0, 0, 0.0, 0])
        longest_s = max((chain_s[given.key] for _, given in one.node.inputs), default=0.0)
        chain_s[one.node.key] = longest_s
        if one.state == "cached":
            row[0] += 1
        elif one.state == "new":
            row[1] += 1
            row[2] += costs.wall_s(one.node)
            row[3] += costs.disk_bytes(one.node)
            chain_s[one.node.key] += costs.wall_s(one.node)
            memory_bytes = max(memory_bytes, costs.memory_bytes(one.node))
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
