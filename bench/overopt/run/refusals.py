"""Which methods and proxies of a run cannot be, known before anything is built."""

from __future__ import annotations

from collections.abc import Sequence

from overopt.errors import NothingToRun, UserError
from overopt.run.cell import Cell
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.run.graphs import Graphs
from overopt.run.pursuit import foreseen
from overopt.spec.run import RunSpec


def name_of(cell: Cell) -> str:
    """A cell's method and proxy, and the level of an axis, which is what may be refused."""
    name = f"{cell.method.name} with {cell.proxy.name}"
    return f"{name}, {cell.level}" if cell.level else name


def check_possible(runs: Sequence[RunSpec]) -> dict[str, str]:
    """Reasons by method and proxy, of those that the task has not what they ask for.

    Of each method with each proxy one cell is planned. The others of a run go on without those that
    are refused; a run of nothing else does not begin.

    Raises:
        NothingToRun: nothing is left to run; with the first reason.
    """
    graphs = Graphs(Graph)
    refused: dict[str, str] = {}
    asked: set[str] = set()
    for run in runs:
        for cell in cells_of(run):
            name = name_of(cell)
            if name in asked:
                continue
            asked.add(name)
            try:
                foreseen(graphs(cell), run)
            except UserError as error:
                refused[name] = str(error)
    if refused and len(refused) == len(asked):
        raise NothingToRun(next(iter(refused.values())))
    return refused
