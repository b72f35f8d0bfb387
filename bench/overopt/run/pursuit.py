"""How a cell is pursued: what it asks the scheduler for, until its points are there."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from overopt.execution.node import Node
from overopt.execution.outcomes import Failure, Outcome
from overopt.run.cell import Cell, Found
from overopt.run.targeting import Search
from overopt.run.watching.looks import Looked, LookGraph, looks
from overopt.run.watching.rankings import Beside, RunGraph, beside
from overopt.spec.declare import TRAINING_FAMILIES
from overopt.spec.run import RunSpec

Pursuit = Generator[Sequence[Node], Mapping[str, Outcome], "Found"]


class CellGraph(LookGraph, RunGraph, Protocol):
    """What a pursuit asks of the graph of its cell (see ``run.graph``)."""

    cell: Cell

    def points(self, along: str, kl_grid_nats: tuple[float, ...]) -> Node | None:
        """The cell's points, or None where they depend on what its knob is found to do."""
        ...

    def evaluate(self, optimized: Node) -> Node:
        """The policies of a run, sampled on the held-out prompts."""
        ...

    def along_knob(self, met: Mapping[float, float], unreached: list[float]) -> Node:
        """The points of a driven knob: the value at which it meets each budget, nats."""
        ...


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def pursue(graph: CellGraph, run: RunSpec) -> Pursuit:
    """The generator that the scheduler drives for the cell of a graph."""
    try:
        points = graph.points(run.along, run.kl_grid_nats)
        if points is None:
            points = yield from _drive_knob(graph, run)
        extra = _beside(graph, run, points)
        outcomes = yield [points, *extra]
        _path(outcomes[points.key])
    except _Failed as error:
        return Found(graph.cell, None, error.failure)
    failure_of = {made: outcomes[made.key].failure for made in extra}
    failures = tuple(failure for failure in failure_of.values() if failure is not None)
    looked_at = tuple(made for made, failure in failure_of.items() if failure is None)
    return Found(graph.cell, points, None, looked_at, failures)


def foreseen(graph: CellGraph, run: RunSpec) -> list[Node]:
    """The nodes that a cell is known to need before anything has run.

    Of a knob that is driven to the budgets only the first, coarse grid is known.
    """
    points = graph.points(run.along, run.kl_grid_nats)
    if points is not None:
        return [points, *_beside(graph, run, points)]
    values = Search(graph.cell.method.knob, run.kl_grid_nats).first_values()
    return [graph.evaluate(graph.optimize(value, ())) for value in values]


def _beside(graph: CellGraph, run: RunSpec, points: Node) -> list[Node]:
    cell = graph.cell
    described = Beside(cell.method, cell.proxy, cell.noise, cell.title)
    found = beside(graph, described, run.along, run.kl_grid_nats)
    if cell.method.family not in TRAINING_FAMILIES or run.along != "step":
        return found  # no run that passes all points
    optimized = graph.optimize(None, run.kl_grid_nats)
    of = Looked(points, optimized, cell.task, cell.proxy, cell.title)
    return [*found, *looks(graph, run.looks, of)]


def _built(
    nodes: list[Node],
) -> Generator[Sequence[Node], Mapping[str, Outcome], list[Path]]:
    outcomes = yield nodes
    return [_path(outcomes[made.key]) for made in nodes]


def _path(outcome: Outcome) -> Path:
    if outcome.failure is not None:
        raise _Failed(outcome.failure)
    assert outcome.path is not None
    return outcome.path


def _drive_knob(
    graph: CellGraph, run: RunSpec
) -> Generator[Sequence[Node], Mapping[str, Outcome], Node]:
    """Run the knob values that the search asks for, then measure those that meet budgets."""
    search = Search(graph.cell.method.knob, run.kl_grid_nats)
    values = search.first_values()
    while values:
        nodes = [graph.optimize(value, ()) for value in values]
        folders = yield from _built(nodes)
        search.observe(dict(zip(values, map(_final_kl_nats, folders), strict=True)))
        values = search.next_values()
    return graph.along_knob(*search.settle())


def _final_kl_nats(folder: Path) -> float:
    record = json.loads((folder / "optimize.json").read_text())
    return float(record["snapshots"][-1]["kl_cheap_nats"])
