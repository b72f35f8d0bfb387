"""What nodes would do and cost: stages cached and new, wall time, memory and disk.

Counts are those of the graph. Costs are what the same work has cost in this store; where it never
ran, an estimate stands in: for generated worlds, measurements on one core of a laptop. All of them
are estimates, and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

from overopt.execution.costs import Cost, Costs, free_bytes
from overopt.execution.node import Node
from overopt.execution.standing.status import status
from overopt.execution.store import Store
from overopt.run.forecasts.first_costs import first_cost


@dataclass(frozen=True)
class Estimate:
    """What one stage is expected to cost; None where the size of a model is unknown.

    wall_s: seconds on one worker. memory_bytes: at its peak, on the accelerator if the stage is
    computed there. disk_bytes: of the artifact. is_accelerated: whether it is. is_assumed: whether
    that accelerator is not on this machine.
    """

    wall_s: float | None
    memory_bytes: float | None
    disk_bytes: float | None
    is_accelerated: bool = False
    is_assumed: bool = False


def laptop(made: Node) -> Estimate:
    """What a stage costs on a shipped task, on one core of a laptop."""
    return _as_estimate(first_cost(made))


@cache
def _as_estimate(cost: Cost) -> Estimate:
    return Estimate(cost.wall_s, cost.memory_bytes, cost.disk_bytes)


@dataclass(frozen=True)
class StageForecast:
    """One kind of stage in a plan: how many are cached and new, and what the new ones cost.

    wall_s, disk_bytes: of all new ones together; memory_bytes: of the largest. None where a
    model's size is unknown. accelerated: how many new ones are computed on the accelerator.
    measured: how many new ones are costed by what the same work has cost here.
    """

    stage: str
    cached: int
    new: int
    accelerated: int
    measured: int
    wall_s: float | None
    memory_bytes: float | None
    disk_bytes: float | None


@dataclass(frozen=True)
class Forecast:
    """A plan: stages in order of the data flow, and totals, None where a model's size is unknown.

    wall_s: with all workers busy and one accelerator, which they share; never less than the
    longest chain of stages. memory_bytes, accelerator_bytes: of as many of the largest stages as
    there are workers. free_bytes: left on the store's disk.
    """

    stages: tuple[StageForecast, ...]
    wall_s: float | None
    memory_bytes: float | None
    accelerator_bytes: float | None
    disk_bytes: float | None
    free_bytes: int


@dataclass
class _Row:
    """The nodes of one kind of stage."""

    cached: int = 0
    measured: int = 0
    new: list[Estimate] = field(default_factory=list)


def forecast(
    nodes: Sequence[Node],
    store: Store,
    workers: int,
    estimate: Callable[[Node], Estimate] = laptop,
) -> Forecast:
    """Look the nodes and all that they need up in the store, and add up what is missing.

    Args:
        nodes: what is wanted.
        store: what is there, and what it has cost.
        workers: stages that run at once.
        estimate: cost of a stage of whose kind none was built in this store.
    """
    costs = Costs(store.root)
    rows: dict[str, _Row] = {}
    chain_s: dict[str, float | None] = {}
    for one in status(nodes, store):
        made = one.node
        row = rows.get(made.name)
        if row is None:
            row = rows[made.name] = _Row()
        before_s = _largest([chain_s[given.key] for _, given in made.inputs])
        chain_s[made.key] = before_s
        if one.state == "cached":
            row.cached += 1
        elif one.state == "new":
            cost = estimate(made)
            known = costs.known(made.stage, made.kind)
            if known is not None:
                cost = _measured(known, cost)
                row.measured += 1
            row.new.append(cost)
            chain_s[made.key] = _total([before_s, cost.wall_s])
    stages = tuple(_summary(stage, row) for stage, row in rows.items())
    new = [cost for row in rows.values() for cost in row.new]
    work_s = _total([cost.wall_s for cost in new])
    return Forecast(
        stages=stages,
        wall_s=_largest(
            [
                None if work_s is None else work_s / workers,
                _total([cost.wall_s for cost in new if cost.is_accelerated]),
                *chain_s.values(),
            ]
        ),
        memory_bytes=_at_once([cost for cost in new if not cost.is_accelerated], workers),
        accelerator_bytes=_at_once([cost for cost in new if cost.is_accelerated], workers),
        disk_bytes=_total([one.disk_bytes for one in stages]),
        free_bytes=free_bytes(store.root),
    )


@lru_cache(maxsize=10_000)
def _measured(known: Cost, guess: Estimate) -> Estimate:
    """What the same work has cost here, on the CPU where the accelerator is only assumed.

    What it took of an accelerator's memory is not known.
    """
    accelerated = guess.is_accelerated and not guess.is_assumed
    memory_bytes = guess.memory_bytes if accelerated else known.memory_bytes
    return Estimate(known.wall_s, memory_bytes, known.disk_bytes, accelerated)


def _summary(stage: str, row: _Row) -> StageForecast:
    return StageForecast(
        stage=stage,
        cached=row.cached,
        new=len(row.new),
        accelerated=sum(cost.is_accelerated for cost in row.new),
        measured=row.measured,
        wall_s=_total([cost.wall_s for cost in row.new]),
        memory_bytes=_largest([cost.memory_bytes for cost in row.new]),
        disk_bytes=_total([cost.disk_bytes for cost in row.new]),
    )


def _total(parts: Sequence[float | None]) -> float | None:
    return None if None in parts else sum(part or 0.0 for part in parts)


def _largest(parts: Sequence[float | None]) -> float | None:
    return None if None in parts else max((part or 0.0 for part in parts), default=0.0)


def _at_once(costs: Sequence[Estimate], workers: int) -> float | None:
    """Memory of the largest stages, as many as run at once."""
    known = sorted(cost.memory_bytes for cost in costs if cost.memory_bytes is not None)
    return sum(known[-workers:]) if len(known) == len(costs) else None
