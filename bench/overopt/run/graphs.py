"""Graphs of the cells of a run, which share all that comes before the method."""

from __future__ import annotations

from overopt.run.cell import Cell
from overopt.run.given.world_nodes import WorldNodes
from overopt.run.graph import Graph


class Graphs:
    """Makes the graph of each cell; what cells have in common is asked for and hashed once.

    Cells of one run hold the very same specifications, so that these are told apart by identity:
    to compare them by value would cost more than to make their nodes.
    """

    def __init__(self) -> None:
        self._worlds: dict[tuple[int, int], WorldNodes] = {}
        self._first: dict[tuple[object, ...], Graph] = {}

    def __call__(self, cell: Cell) -> Graph:
        """The graph of a cell."""
        place = id(cell.task), id(cell.gold)
        if place not in self._worlds:
            self._worlds[place] = WorldNodes(cell.task, cell.gold)
        world = self._worlds[place]
        if cell.task.round > 1:  # whose labels are those of the method's own policies
            return Graph(cell, world)
        data = id(cell.noise), id(cell.flaw), cell.seed, cell.level
        given = (*place, id(cell.proxy), *data)
        first = self._first.get(given)
        if first is None:
            first = self._first[given] = Graph(cell, world)
            return first
        return Graph(cell, world, first)
