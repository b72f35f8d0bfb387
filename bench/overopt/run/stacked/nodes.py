"""Training runs that share a stack: which cells, and how each gets its own out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from overopt.errors import UserError
from overopt.execution.code.modules import module_in
from overopt.execution.node import Node
from overopt.execution.stage import node
from overopt.run.making import Make
from overopt.run.stacked.blocks import WIDTH
from overopt.run.stage_names import STAGES, kind_of
from overopt.spec.task import TaskSpec


class Asked(Protocol):
    """What is asked of a cell (see ``run.cell``)."""

    @property
    def task(self) -> TaskSpec:
        """The task."""
        ...

    @property
    def world(self) -> int:
        """Seed of the world."""
        ...

    @property
    def seed(self) -> int:
        """Seed of the run."""
        ...

    @property
    def stack(self) -> tuple[int, ...]:
        """Seeds that are trained together, its own among them."""
        ...


class Stackable(Protocol):
    """The graph of a cell that is trained in a stack."""

    @property
    def cell(self) -> Asked:
        """The cell."""
        ...

    @property
    def make(self) -> Make:
        """Makes its nodes."""
        ...

    @property
    def initial(self) -> Node:
        """The initial policy."""
        ...

    def alone(self, seed: int) -> Node:
        """The run of a neighbor as it would be trained alone."""
        ...


def out_of_stack(
    around: Stackable, params: Mapping[str, Any], label: str, code: tuple[str, ...]
) -> Node:
    """The run of a cell that is trained together with other seeds of the same work.

    Args:
        around: the cell's graph.
        params, label, code: of the run as if it were trained alone.

    Raises:
        UserError: the run is one of several, at values of a knob or in rounds.
    """
    cell = around.cell
    if not params["kl_grid_nats"] or cell.task.rounds is not None:
        raise UserError(
            "the engine stacked trains one run to each seed, along the step; leave --along knob "
            "and --rounds out, or give --engine native."
        )
    world = cell.world << 32
    inputs = {"initial": around.initial}
    for place, seed in enumerate(cell.stack):
        own = around.alone(seed).inputs
        inputs |= {f"{role}.{place}": given for role, given in own if role != "initial"}
    shared = {name: value for name, value in params.items() if name != "seed"}
    shared |= {"seeds": [seed + world for seed in cell.stack], "width": WIDTH}
    if "system" in params:
        code += (module_in("artifacts", "stacked_reward"),)
    before, _, after = label.rpartition(f" seed {cell.seed}")
    told = f"{before} seeds {', '.join(map(str, cell.stack))}{after}"
    stack = around.make("stacked.stack", shared, inputs, told, code)
    # a copy, which no world's code has a part in
    kind = kind_of(cell.task.name, label)
    given = {"stack": stack}
    return node(f"{STAGES}.stacked.optimize", dict(params), given, label=label, kind=kind)
