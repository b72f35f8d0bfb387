"""The nodes of an exam: sets that a world has once, and what the proxies of a cell make of them."""

from __future__ import annotations

from typing import Protocol

from overopt.errors import UserError
from overopt.execution.node import Node
from overopt.run.making import Making
from overopt.run.own_files import described
from overopt.spec.exam import ExamSpec
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec


class Asked(Protocol):
    """What is asked of a cell (see ``run.cell``)."""

    @property
    def task(self) -> TaskSpec:
        """The task."""
        ...

    @property
    def proxy(self) -> ProxySystemSpec:
        """The reward-side system."""
        ...

    @property
    def place(self) -> str:
        """What tells the cell from others of its method and proxy system."""
        ...

    @property
    def stream(self) -> int:
        """The number that the cell's random draws start from."""
        ...


class Around(Making, Protocol):
    """The graph of a cell."""

    @property
    def cell(self) -> Asked:
        """The cell."""
        ...

    @property
    def labels(self) -> Node:
        """Preference data."""
        ...

    @property
    def reading_code(self) -> tuple[str, ...]:
        """What has to be loaded by name to read the proxies."""
        ...

    def proxy(self, member: int) -> Node:
        """One proxy that scores."""
        ...

    def score(self, member: int, samples: Node, role: str) -> Node:
        """One proxy's scores on samples."""
        ...


def sets(graph: Around, asked: ExamSpec) -> Node:
    """The sets of a world, the same for all its proxies.

    Raises:
        UserError: the responses of the world are not a model's.
    """
    task = graph.cell.task
    if task.world.pool is not None:
        raise UserError(
            f"{task.name}: its responses are those of a table, and no model says how likely they "
            "are; choose another --task."
        )
    params = {"exam": asked.to_json(), "seed": task.world.seed}
    return graph.make("exams.sets", params, {"pool": graph.pool}, f"exam of {graph.pool.label}")


def exams(graph: Around, asked: ExamSpec) -> list[Node]:
    """What a cell's proxy system makes of all exams that it can sit.

    A system that scores by a file of its own, or whose members are trained again on the way, is
    examined on the pool alone; one that merges members on their averages too.
    """
    cell = graph.cell
    system, seed = described(cell.proxy), cell.stream
    given = {"sets": sets(graph, asked), "pool": graph.pool}
    scores = {
        f"score.pool.{member}": graph.score(member, graph.pool, "the pool")
        for member in range(cell.proxy.scored)
    }
    title = f"{cell.proxy.name}, {cell.place}"
    known = {"system": system}
    found = [
        graph.make("exams.marks", known, given | scores, f"exam of {title}", (cell.proxy.source,))
    ]
    if cell.proxy.reader is None and not cell.proxy.refits:
        proxies = {f"proxy.{member}": graph.proxy(member) for member in range(cell.proxy.scored)}
        code = (cell.proxy.source, *graph.reading_code)
        inputs = {"labels": graph.labels, **proxies}
        found.append(graph.make("exams.recall", known, inputs, f"labels by {title}", code))
    if cell.proxy.merges:
        merged = dict(graph.proxy(0).inputs)
        members = {role: made for role, made in merged.items() if role.startswith("member.")}
        asked_of = {"members": len(members), "seed": seed}
        inputs = {**given, "labels": graph.labels, **members}
        label = f"averages of {title}"
        found.append(graph.make("exams.averages", asked_of, inputs, label, graph.reading_code))
    return found
