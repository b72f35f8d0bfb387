"""How a cell is pursued: what it asks the scheduler for, until its points are there."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from overopt.execution.node import Node
from overopt.execution.outcomes import Failure, Outcome
from overopt.run.cell import Cell, Found
from overopt.run.graph import Graph, setting
from overopt.run.targeting import Search
from overopt.spec.run import RunSpec

Pursuit = Generator[Sequence[Node], Mapping[str, Outcome], "Found"]


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def pursue(cell: Cell, run: RunSpec) -> Pursuit:
    """The generator that the scheduler drives for one cell."""
    graph = Graph(cell)
    try:
        if cell.method.family == "selection":
            points = graph.select(run.kl_grid_nats)
        elif cell.method.family == "merge":
            points = graph.along_merge(run.kl_grid_nats)
        elif run.along == "step":
            points = graph.along_step(run.kl_grid_nats)
        else:
            points = yield from _drive_knob(graph, run)
        yield from _built([points])
    except _Failed as error:
        return Found(cell, None, error.failure)
    return Found(cell, points, None)


def foreseen(cell: Cell, run: RunSpec) -> list[Node]:
    """The nodes that a cell is known to need before anything has run.

    Of a knob that is driven to the budgets only the first, coarse grid is known.
    """
    graph = Graph(cell)
    if cell.method.family == "selection":
        return [graph.select(run.kl_grid_nats)]
    if cell.method.family == "merge":
        return [graph.along_merge(run.kl_grid_nats)]
    if run.along == "step":
        return [graph.along_step(run.kl_grid_nats)]
    values = Search(cell.method.knob, run.kl_grid_nats).first_values()
    return [graph.evaluate(graph.optimize(value, ())) for value in values]


def _built(
    nodes: list[Node],
) -> Generator[Sequence[Node], Mapping[str, Outcome], list[Path]]:
    outcomes = yield nodes
    paths = []
    for made in nodes:
        outcome = outcomes[made.key]
        if outcome.failure is not None:
            raise _Failed(outcome.failure)
        assert outcome.path is not None
        paths.append(outcome.path)
    return paths


def _drive_knob(
    graph: Graph, run: RunSpec
) -> Generator[Sequence[Node], Mapping[str, Outcome], Node]:
    """Run the knob values that the search asks for, then measure those that meet budgets."""
    search = Search(graph.cell.method.knob, run.kl_grid_nats)
    values = search.first_values()
    while values:
        nodes = [graph.optimize(value, ()) for value in values]
        folders = yield from _built(nodes)
        search.observe(dict(zip(values, map(_final_kl_nats, folders), strict=True)))
        values = search.next_values()
    met, unreached = search.settle()
    policies = [
        (
            graph.evaluate(graph.optimize(value, ())),
            {"knob_value": setting(graph.cell.method, value), "kl_target_nats": kl_nats},
        )
        for kl_nats, value in met.items()
    ]
    return graph.measure(policies, unreached)


def _final_kl_nats(folder: Path) -> float:
    record = json.loads((folder / "optimize.json").read_text())
    return float(record["snapshots"][-1]["kl_cheap_nats"])
