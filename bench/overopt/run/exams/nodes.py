"""The nodes of an exam: sets that a world has once, and what the proxies of a cell make of them."""

from __future__ import annotations

from overopt.errors import UserError
from overopt.execution.node import Node
from overopt.run.graph import Graph
from overopt.run.own_files import described
from overopt.spec.exam import ExamSpec


def sets(graph: Graph, asked: ExamSpec) -> Node:
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


def exams(graph: Graph, asked: ExamSpec) -> list[Node]:
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
