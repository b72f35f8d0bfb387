"""Exams built through the store, and read as lines."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

from overopt.artifacts.tables import read_json
from overopt.errors import UserError
from overopt.execution.executors.executor import Executor
from overopt.execution.node import Node
from overopt.execution.outcomes import Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.store import Store
from overopt.run.cell import Cell


class Sitting(NamedTuple):
    """A cell of one of several runs, which is told by its place among them, and its exams."""

    run: int
    cell: Cell
    nodes: list[Node]


def carry_out(
    sittings: Sequence[Sitting],
    store: Store,
    executor: Executor,
    on_notice: Callable[[Notice], None] | None = None,
) -> list[list[dict[str, Any]]]:
    """Build what is missing, and read the lines of each cell's exams, in order.

    Raises:
        UserError: a stage failed, or a disk refuses; finished stages are kept.
        KeyboardInterrupt: finished stages are kept.
    """
    nodes = [made for one in sittings for made in one.nodes]
    (result,) = execute([_all(nodes)], store, executor, on_notice)
    if result.value is None:
        raise UserError(str(result.error))
    lines: dict[str, list[dict[str, Any]]] = {}
    for made, outcome in zip(nodes, result.value, strict=True):
        if outcome.failure is not None:
            said = f"{outcome.failure.title}: {outcome.failure.message}".rstrip(".")
            raise UserError(f"{said}; finished stages are kept.")
        assert outcome.path is not None, f"{made.label} has neither an artifact nor a failure"
        lines[made.key] = read_json(outcome.path / "marks.json")["marks"]
    return [[line for made in one.nodes for line in lines[made.key]] for one in sittings]


def _all(nodes: Sequence[Node]) -> Generator[Sequence[Node], Mapping[str, Outcome], list[Outcome]]:
    outcomes = yield nodes
    return [outcomes[made.key] for made in nodes]
