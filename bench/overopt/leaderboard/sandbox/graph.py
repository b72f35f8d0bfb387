"""The graph of a cell whose method runs behind walls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.execution.node import Node, ancestry
from overopt.execution.stage import node
from overopt.run.cell import Cell
from overopt.run.given.nodes import WorldNodes
from overopt.run.graph import Graph
from overopt.spec.declare import TRAINING_FAMILIES

SEALED = "overopt.leaderboard.sandbox.sealed"


class SealedGraph(Graph):
    """A cell whose method is run by ``sealed`` and by nothing else.

    Raises:
        UserError: the method's code would run in a stage outside of the walls.
    """

    def __init__(self, cell: Cell, world: WorldNodes | None = None) -> None:
        super().__init__(cell, world)
        method, proxy = cell.method, cell.proxy
        if cell.engine != "native" or cell.task.rounds is not None:
            how = "in rounds" if cell.task.rounds is not None else f"by the engine {cell.engine}"
            raise UserError(
                f"{method.name} was run {how}; only one run of the native engine is run behind "
                "walls, so verify it up to tier T2."
            )
        if method.family not in TRAINING_FAMILIES or method.composes or method.values:
            raise UserError(
                f"{method.name} is of the family {method.family}; only methods that train on pairs "
                "or samples run behind walls, so verify it up to tier T2."
            )
        if is_file(proxy.source) or proxy.uses_gold != "none" or proxy.step_scores:
            raise UserError(
                f"{proxy.name} is a proxy system of one's own or is told gold; only shipped ones "
                "that are not run in tier T3, so verify it up to tier T2."
            )

    def optimize(
        self,
        knob_value: float | None,
        kl_grid_nats: tuple[float, ...],
        member: int | None = None,
        start: Node | None = None,
    ) -> Node:
        """The method's run as the graph makes it, behind walls."""
        made = super().optimize(knob_value, kl_grid_nats, member, start)
        sealed = node(
            SEALED,
            made.params,
            dict(made.inputs),
            label=f"{made.label}, behind walls",
            extra_code=made.extra_code,
            kind=made.kind,
        )
        for one in ancestry([sealed]):
            if one.stage != SEALED and (own := [code for code in one.extra_code if is_file(code)]):
                raise UserError(f"{one.label} would load {own[0]} outside of the walls.")
        return sealed

    def varied(self, **changed: Any) -> Graph:
        """The graph of this cell with some of its fields changed, behind walls where it must be.

        A shipped method, such as one that trains members of a proxy, is ours and needs none.
        """
        cell = replace(self.cell, **changed)
        own = is_file(cell.method.source)
        return SealedGraph(cell, self._world) if own else Graph(cell, self._world)
