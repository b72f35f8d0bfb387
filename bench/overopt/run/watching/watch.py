"""Builds what is seen along the runs of a specification, and writes it into their folders."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from overopt.catalog.systems import proxy
from overopt.errors import UserError
from overopt.execution.executors.executor import Executor
from overopt.execution.node import Node
from overopt.execution.outcomes import Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.store import Store
from overopt.execution.synced import sync_folder
from overopt.run.cell import Cell
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.run.watching.nodes import WatchNodes, can_be_watched, why_no_twin
from overopt.spec.columns import SIGNAL_COLUMNS, SIGNALS_FILE, TWINS_FILE
from overopt.spec.method import MethodSpec
from overopt.spec.monitor import Signal
from overopt.spec.run import RunSpec

_DIGITS = 9
"""Significant digits of a signal: these are estimates from some hundred samples."""


class Watched(NamedTuple):
    """Files that were written, and what failed or cannot be had, one sentence each."""

    files: list[Path]
    told: list[str]


def check_watchable(spec: RunSpec) -> None:
    """Refuse what has no course along which anything could be watched.

    Raises:
        UserError: a method that trains nothing, a knob that is driven, or the other engine.
    """
    for method in spec.methods:
        if not can_be_watched(method):
            raise UserError(
                f"{method.name} is of the family {method.family}, which has no training run to "
                "watch; name methods of pairs, rollout or iterative."
            )
    if spec.along != "step":
        raise UserError("A monitor watches one run along its steps; leave out --along knob.")
    if spec.engine != "native":
        raise UserError("Twins run on the native engine; leave out --engine trl.")


def watch_runs(
    spec: RunSpec,
    folders: Sequence[Path],
    store: Store,
    executor: Executor,
    wanted: Collection[Signal],
    on_notice: Callable[[Notice], None] | None = None,
) -> Watched:
    """Measure every run and its twin, and write both tables into the run's folder.

    Args:
        spec: the runs, which are finished.
        folders: their run folders, one for each method.
        store: where artifacts lie.
        executor: what builds them, on the same store.
        wanted: signals besides what every run has.
        on_notice: called with everything that happens.

    Raises:
        UserError: a folder cannot be written, or holds another table.
    """
    cells = [
        cell
        for method in spec.methods
        for cell in cells_of(spec.model_copy(update={"methods": (method,)}))
    ]
    gold = proxy("control-gold")
    asked: list[tuple[str, Cell, Node]] = []
    for cell in cells:
        nodes = WatchNodes(Graph, cell, spec.kl_grid_nats, wanted)
        asked.append((SIGNALS_FILE, cell, nodes.signals()))
        if not why_no_twin(cell.method):
            asked.append((TWINS_FILE, cell, nodes.twin(gold)))
    results = execute([_just(made) for _, _, made in asked], store, executor, on_notice)
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    failures = []
    for (file, cell, made), result in zip(asked, results, strict=True):
        if result.value is None:
            failures.append(f"{made.label}: {_first(result.error or 'it failed')}")
            continue
        seen = json.loads((result.value / "signals.json").read_text())
        rows.setdefault((cell.method.name, file), []).extend(_rows(cell, seen))
    files = []
    for method, folder in zip(spec.methods, folders, strict=True):
        for file in (SIGNALS_FILE, TWINS_FILE):
            mine = rows.get((method.name, file))
            if mine:
                files.append(_write(folder / file, _text(mine)))
    return Watched(files, failures)


def twins_missing(methods: Sequence[MethodSpec]) -> list[str]:
    """One sentence for each method of which no twin can be run."""
    return [
        f"{method.name} has no twin: {why}" for method in methods if (why := why_no_twin(method))
    ]


def _just(made: Node) -> Generator[Sequence[Node], Mapping[str, Outcome], Path]:
    outcomes = yield [made]
    outcome = outcomes[made.key]
    if outcome.failure is not None:
        raise UserError(f"{outcome.failure.title}: {outcome.failure.message}")
    assert outcome.path is not None
    return outcome.path


def _first(error: str) -> str:
    return error.strip().rpartition("\n")[2]


def _rows(cell: Cell, seen: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    known = {
        "world": cell.world,
        "proxy": cell.proxy.name,
        "noise": cell.noise_label,
        "proxy_start": cell.task.proxy.start,
        "proxy_width": cell.task.proxy_width,
        "comparisons": cell.task.proxy.comparisons,
        "seed": cell.seed,
    }
    return [{**known, **one} for one in seen]


def _text(rows: Sequence[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, SIGNAL_COLUMNS, lineterminator="\n", extrasaction="raise")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                name: f"{value:.{_DIGITS}g}" if isinstance(value, float) else value
                for name, value in row.items()
                if value is not None
            }
        )
    return stream.getvalue()


def _write(path: Path, text: str) -> Path:
    """Write a table beside a run's own; one that is there stays.

    Raises:
        UserError: it holds something else, or the folder cannot be written.
    """
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        if path.is_file():
            if path.read_text() != text:
                raise UserError(
                    f"{path} is not what this run shows; results are never overwritten, so move "
                    "the file away and repeat the command: finished stages are kept."
                )
            return path
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error
    return path
