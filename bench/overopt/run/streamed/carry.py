"""Streamed pools built through the store, and read as best-of-n curves."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from overopt.artifacts.tables import Table
from overopt.errors import UserError
from overopt.execution.executors.executor import Executor
from overopt.execution.node import Node
from overopt.execution.outcomes import Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.store import Store
from overopt.run.cell import Cell
from overopt.stats.pools.extrapolation import BestOfN, best_of_n


class Stream(NamedTuple):
    """A cell of one of several runs, which is told by its place among them, and its stream."""

    run: int
    cell: Cell
    node: Node


def carry_out(
    streams: Sequence[Stream],
    n_max: int,
    store: Store,
    executor: Executor,
    on_notice: Callable[[Notice], None] | None = None,
) -> list[BestOfN]:
    """Build what is missing, and read each stream as a curve up to an n, in order.

    Raises:
        UserError: a stage failed, or a disk refuses; finished stages are kept.
        KeyboardInterrupt: finished stages are kept.
    """
    nodes = [one.node for one in streams]
    (result,) = execute([_all(nodes)], store, executor, on_notice)
    if result.value is None:
        raise UserError(str(result.error))
    curves = []
    for made, outcome in zip(nodes, result.value, strict=True):
        if outcome.failure is not None:
            said = f"{outcome.failure.title}: {outcome.failure.message}".rstrip(".")
            raise UserError(f"{said}; finished stages are kept.")
        assert outcome.path is not None, f"{made.label} has neither an artifact nor a failure"
        curves.append(_read(outcome.path, n_max))
    return curves


def _all(nodes: Sequence[Node]) -> Generator[Sequence[Node], Mapping[str, Outcome], list[Outcome]]:
    outcomes = yield nodes
    return [outcomes[made.key] for made in nodes]


def _read(folder: Path, n_max: int) -> BestOfN:
    table = Table(folder / "stream.parquet")
    members = [name for name in table.columns if name.startswith("member.")]
    return best_of_n(
        table.integers("prompt_id"),
        table.floats("gold"),
        table.floats("proxy"),
        n_max,
        [table.floats(name) for name in members],
    )
