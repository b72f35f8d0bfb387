"""Which streams a request asks for."""

from __future__ import annotations

from collections.abc import Sequence

from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.run.streamed.carry import Stream
from overopt.run.streamed.nodes import stream
from overopt.spec.run import RunSpec
from overopt.spec.stream import StreamSpec


def streams_of(runs: Sequence[RunSpec], asked: StreamSpec) -> list[Stream]:
    """Every cell of the runs with the node of its stream.

    Raises:
        UserError: a stream cannot be drawn.
    """
    return [
        Stream(number, cell, stream(Graph(cell), asked.prompts, asked.samples_per_prompt))
        for number, run in enumerate(runs)
        for cell in cells_of(run)
    ]
