"""The nodes of merged policies: the runs of the members, and the merges of every iteration."""

from __future__ import annotations

from typing import Any, Protocol

from overopt.errors import UserError
from overopt.execution.node import Node
from overopt.run.given.once import once_per_spec
from overopt.run.knob import at_tasks_rate
from overopt.run.making import Make
from overopt.run.own_files import described
from overopt.spec.method import MethodSpec
from overopt.spec.task import TaskSpec


class Asked(Protocol):
    """What is asked of a cell (see ``run.cell``)."""

    @property
    def method(self) -> MethodSpec:
        """The method."""
        ...

    @property
    def stream(self) -> int:
        """The number that random draws start from."""
        ...

    @property
    def place(self) -> str:
        """What tells the cell from others of its method and proxy system."""
        ...


class Merging(Protocol):
    """The graph of a cell whose policies are merged."""

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

    @property
    def value(self) -> Node:
        """The values of prefixes that a method learns from the proxy."""
        ...

    def optimize(
        self,
        knob_value: float | None,
        kl_grid_nats: tuple[float, ...],
        member: int | None = None,
        start: Node | None = None,
    ) -> Node:
        """The run of a member."""
        ...


def member_task(task: TaskSpec, method: MethodSpec) -> TaskSpec:
    """The task, in which members end after as many gradient steps as their method says, if any."""
    return task if method.member_steps is None else _ended(task, method.member_steps)


@once_per_spec
def _ended(task: TaskSpec, steps: int) -> TaskSpec:
    settings = {
        name: getattr(task, name).model_copy(update={"max_steps": steps})
        for name in ("pairs", "rollout")
    }
    return task.model_copy(update=settings)


@once_per_spec
def as_trained(method: MethodSpec) -> MethodSpec:
    """The method as the runs of its members know it: without what only merging reads."""
    if not method.merging:
        return method
    config = {key: value for key, value in method.config.items() if key not in method.merging}
    return method.model_copy(update={"config": config, "merging": ()})


def merged(graph: Merging, kl_grid_nats: tuple[float, ...]) -> Node:
    """The policies of a method along its knob, merged or composed of others.

    The run of another method is that method's own, budgets and all, and is shared with it.
    """
    cell, method = graph.cell, graph.cell.method
    inputs = {"initial": graph.initial}
    if method.member is not None:
        inputs["optimize.0"] = graph.optimize(None, kl_grid_nats)
    elif method.family == "merge":
        inputs |= merging_inputs(graph, kl_grid_nats)
    params = {
        "method": described(at_tasks_rate(method)),
        "kl_grid_nats": list(kl_grid_nats),
        "seed": cell.stream,
    }
    if method.values:
        inputs["value"] = graph.value
    stage, done = ("compose", "composed") if method.composes else ("merge", "merged")
    label = f"{method.name} {done}, {cell.place}"
    return graph.make(stage, params, inputs, label, (method.source,))


def merging_inputs(graph: Merging, kl_grid_nats: tuple[float, ...]) -> dict[str, Node]:
    """What the policies of a method that merges weights are made of, by role.

    ``optimize.<m>`` are the runs of the last iteration, and ``start`` is what they start from; it
    is missing where that is the initial policy. Members of all iterations are numbered on, so that
    no two of them draw the same.

    Raises:
        UserError: there are several iterations of runs that end at a KL.
    """
    method = graph.cell.method
    ends = kl_grid_nats[-1:] if method.member_steps is None else ()
    if method.iterations > 1 and method.member_steps is None:
        raise UserError(
            f"{method.name}.iterations = {method.iterations}: runs of several iterations end after "
            f"so many steps, as KL is not counted anew in each; set {method.name}.steps."
        )
    start: Node | None = None
    members: dict[str, Node] = {}
    for iteration in range(method.iterations):
        if iteration:
            start = _restart(graph, start, members, iteration)
        members = {
            f"optimize.{member}": graph.optimize(
                None, ends, iteration * method.members + member, start
            )
            for member in range(method.members)
        }
    return members if start is None else {"start": start, **members}


def angles(graph: Merging, kl_grid_nats: tuple[float, ...]) -> list[Node]:
    """The angles between what the members of a method that merges weights have learned."""
    cell, method = graph.cell, graph.cell.method
    if method.family != "merge" or method.member is not None or method.members < 2:
        return []
    inputs = {"initial": graph.initial, **merging_inputs(graph, kl_grid_nats)}
    label = f"angles of {method.name}, {cell.place}"
    return [graph.make("beside.angles", {"members": method.members}, inputs, label)]


def _restart(graph: Merging, start: Node | None, members: dict[str, Node], iteration: int) -> Node:
    """What the next iteration starts from: the members, merged."""
    cell, method = graph.cell, graph.cell.method
    plain = {key: value for key, value in method.config.items() if key != "iterations"}
    params: dict[str, Any] = {
        "method": described(at_tasks_rate(method.model_copy(update={"config": plain})))
    }
    inputs = {"initial": graph.initial, **({} if start is None else {"start": start}), **members}
    label = f"{method.name} merged after iteration {iteration}, {cell.place}"
    return graph.make("merging.restart", params, inputs, label, (method.source,))
