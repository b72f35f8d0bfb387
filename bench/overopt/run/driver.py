"""One ``bench run``: cells pursued side by side, then written as run folders."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from overopt.execution.costs import Costs
from overopt.execution.executors.executor import Opening
from overopt.execution.executors.local import Local
from overopt.execution.node import Node
from overopt.execution.outcomes import Failure, Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.store import Store
from overopt.run.cell import Cell, Found
from overopt.run.cells import cells_of, first_of_worlds
from overopt.run.forecasts.first_costs import first_cost
from overopt.run.graph import Graph
from overopt.run.graphs import Graphs
from overopt.run.pursuit import Pursuit, pursue
from overopt.run.records import write_runs
from overopt.run.written.folders import check_writable
from overopt.run.written.prompt_tables import seed_groups
from overopt.spec.run import RunSpec


@dataclass(frozen=True)
class RunOutcome:
    """Folders that were written, and the cells that failed."""

    folders: list[Path]
    failures: list[tuple[str, Failure]]


def execute_runs(
    runs: Sequence[RunSpec],
    store: Store,
    out: Path,
    *,
    workers: int,
    arguments: Sequence[str],
    on_notice: Callable[[Notice], None] | None = None,
    graph: Callable[[Cell], Graph] | None = None,
    executor: Opening | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> RunOutcome:
    """Build what is missing of all runs side by side, and write the results of each.

    Args:
        runs: what to run; what they have in common is built once.
        store: where artifacts lie.
        out: the results folder.
        workers: worker processes, one torch thread each.
        arguments: the command as given, for the record.
        on_notice: called with everything that happens.
        graph: makes the graph of each cell; by default they share what they can.
        executor: what runs the stages; by default the worker processes of this machine.
        tell: called with what the executor has to say to the user.

    Raises:
        UserError: a disk refuses; finished stages are kept.
        KeyboardInterrupt: finished stages are kept.
    """
    started_s = time.monotonic()
    check_writable(out)
    costs = Costs(store.root)
    cells_of_run = [cells_of(run) for run in runs]
    # A front is a cell of its own, so that its failure leaves the others alone.
    firsts_of_run = [first_of_worlds(cells) for cells in cells_of_run]
    routines: list[Pursuit] = []
    plain = Graphs(Graph)
    for run, cells, firsts in zip(runs, cells_of_run, firsts_of_run, strict=True):
        routines += [pursue((graph or plain)(cell), run) for cell in cells]
        routines += [_just(plain(cell).front(run.kl_grid_nats), cell) for cell in firsts]
    opening = executor or Local(workers)
    with opening(store, tell) as opened:
        results = execute(
            routines,
            store,
            opened,
            on_notice,
            lambda made: (costs.known(made.stage, made.kind) or first_cost(made)).wall_s,
        )
    folders: list[Path] = []
    failures: list[tuple[str, Failure]] = []
    left = iter(results)
    for run, cells, firsts in zip(runs, cells_of_run, firsts_of_run, strict=True):
        cells_found, fronts_found = (
            [
                result.value or _broken(cell, result.error or "")
                for cell, result in zip(pursued, islice(left, len(pursued)), strict=True)
            ]
            for pursued in (cells, firsts)
        )
        others = [front.failure for front in fronts_found if front.failure is not None]
        others += [failure for cell in cells_found for failure in cell.beside_failures]
        groups = {
            name: seed_groups(one, store, run.along_of(one[0].cell.method))
            for name, one in _by_method(cells_found).items()
        }
        folders += write_runs(
            run,
            cells_found,
            store,
            out,
            arguments=arguments,
            groups=groups,
            fronts={front.cell.world: front.points for front in fronts_found if front.points},
            failures=others,
            workers=workers,
            wall_s=time.monotonic() - started_s,
        )
        failures += [(one.cell.title, one.failure) for one in cells_found if one.failure]
        failures += [(one.title, one) for one in others]
    return RunOutcome(folders, failures)


def _broken(cell: Cell, error: str) -> Found:
    """A cell whose own course raised an error: a failure as any other, with its traceback."""
    message = error.strip().rpartition("\n")[2]
    return Found(cell, None, Failure("", "cell", cell.title, "raised", message, error, ""))


def _by_method(found: Sequence[Found]) -> dict[str, list[Found]]:
    groups: dict[str, list[Found]] = {}
    for one in found:
        groups.setdefault(one.cell.method.name, []).append(one)
    return groups


def _just(made: Node, cell: Cell) -> Generator[Sequence[Node], Mapping[str, Outcome], Found]:
    """A routine that wants one node."""
    outcomes = yield [made]
    failure = outcomes[made.key].failure
    return Found(cell, made if failure is None else None, failure)
