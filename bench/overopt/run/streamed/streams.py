"""Which streams a request asks for."""

from __future__ import annotations

from collections.abc import Sequence

from overopt.execution.node import Node
from overopt.run.cell import Cell
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.run.streamed.nodes import stream
from overopt.spec.run import RunSpec


def streams_of(
    runs: Sequence[RunSpec], prompts: int, samples_per_prompt: int
) -> list[tuple[Cell, Node]]:
    """Every cell of the runs with the node of its stream."""
    cells = [cell for run in runs for cell in cells_of(run)]
    return [(cell, stream(Graph(cell), prompts, samples_per_prompt)) for cell in cells]
