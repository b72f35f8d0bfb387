"""Graphs of the cells of a run, which share all that comes before the method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from overopt.run.cell import Cell
from overopt.run.given.nodes import WorldNodes

Made = TypeVar("Made")


class Graphs(Generic[Made]):
    """Makes the graph of each cell; what cells have in common is asked for and hashed once.

    Cells of one run hold the very same specifications, so that these are told apart by identity:
    to compare them by value would cost more than to make their nodes.

    Args:
        make: makes the graph of a cell in a world, beside that of a cell which differs in its
            method only, or alone.
    """

    def __init__(self, make: Callable[[Cell, WorldNodes, Made | None], Made]) -> None:
        self._make = make
        self._worlds: dict[tuple[int, int], WorldNodes] = {}
        self._first: dict[tuple[object, ...], Made] = {}

    def __call__(self, cell: Cell) -> Made:
        """The graph of a cell."""
        place = id(cell.task), id(cell.gold)
        if place not in self._worlds:
            self._worlds[place] = WorldNodes(cell.task, cell.gold)
        world = self._worlds[place]
        if cell.task.round > 1:  # whose labels are those of the method's own policies
            return self._make(cell, world, None)
        data = id(cell.noise), id(cell.flaw), cell.seed, cell.level
        given = (*place, id(cell.proxy), *data)
        graph = self._make(cell, world, self._first.get(given))
        self._first.setdefault(given, graph)
        return graph
