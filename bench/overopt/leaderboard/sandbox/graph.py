"""The graph of a cell whose method runs behind walls."""

from __future__ import annotations

from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.execution.node import Node
from overopt.execution.stage import node
from overopt.run.cell import Cell
from overopt.run.graph import Graph
from overopt.spec.declare import TRAINING_FAMILIES

SEALED = "overopt.leaderboard.sandbox.sealed"


class SealedGraph(Graph):
    """A cell whose method is run by ``sealed`` and by nothing else.

    Raises:
        UserError: the method's code would run in a stage outside of the walls.
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        method, proxy = cell.method, cell.proxy
        if method.family not in TRAINING_FAMILIES or method.composes or method.values:
            raise UserError(
                f"{method.name} is of the family {method.family}; only methods that train on pairs "
                "or samples run behind walls, so verify it up to tier T2."
            )
        if is_file(proxy.source) or proxy.uses_gold != "none":
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
        return node(
            SEALED,
            made.params,
            dict(made.inputs),
            label=f"{made.label}, behind walls",
            extra_code=made.extra_code,
            kind=made.kind,
        )
