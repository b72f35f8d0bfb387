"""``bench admit``: runs tasks against the controls, and judges them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.table import Table

from overopt.catalog import lookup
from overopt.catalog.declarations import unknown
from overopt.commands.printing import open_console, print_text
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.leaderboard.admission.ledger import (
    Row,
    compare_ledger,
    ledger_table,
    make_ledger,
    make_page,
)
from overopt.leaderboard.admission.measuring import CONTROLS, PROXY, measure_tasks
from overopt.report.groups import group_results
from overopt.report.stored.reading import read_results
from overopt.report.tables.text import write_csv
from overopt.spec.run import RunSpec

TABLE, PAGE = Path("results/admission.csv"), Path("bench/overopt/docs/admission.md")


class Design(NamedTuple):
    """What is run of every task: an optimizer, in so many worlds, with so many seeds."""

    method: str
    worlds: int
    seeds: int


def admit(
    tasks: Sequence[str],
    runs: Path,
    design: Design | None,
    publish: bool,
    resolve: Callable[[Request], RunSpec],
    execute: Callable[[RunSpec], None],
) -> int:
    """Judge tasks and print the ledger.

    Args:
        tasks: names; of none, every shipped one.
        runs: run folders.
        design: what is run before; None for nothing.
        publish: whether the committed table and page are written.
        resolve: from a request to a specification.
        execute: carries one out, into ``runs``.

    Returns:
        The exit code.

    Raises:
        UserError: there is no such task, or the table has no place here.
    """
    shipped = lookup.shipped("tasks")
    for name in tasks:
        if name not in shipped:
            raise UserError(unknown("task", name, shipped))
    if publish and (tasks or not (TABLE.parent.is_dir() and PAGE.parent.is_dir())):
        raise UserError(
            "--publish writes the ledger of all tasks to results/ and bench/overopt/docs/; give it "
            "without a task, in the folder that holds both."
        )
    if design is not None:
        for name in tasks or shipped:
            spec = resolve(_request(name, design))
            if tasks or spec.task.world.hub is None:  # what takes a GPU is run on request only
                execute(spec)
    rows = judge_runs(tasks or shipped, runs)
    _print(rows)
    if publish:
        write_ledger(rows, TABLE, PAGE)
    return 0


def judge_runs(tasks: Sequence[str], runs: Path) -> list[Row]:
    """The ledger of these tasks, from run folders; there need be none."""
    if not runs.is_dir() or not any(runs.rglob("run.json")):
        return make_ledger(tasks, [])
    results = read_results([runs])
    return make_ledger(tasks, list(measure_tasks(results, group_results(results))))


def check_ledger(runs: Path) -> int:
    """Compare the committed ledger with that of the run folders; 1 where they differ."""
    rows = judge_runs(lookup.shipped("tasks"), runs)
    told = compare_ledger(rows, TABLE, PAGE)
    for sentence in told:
        print_text(sentence)
    if told:
        print_text("Give: bench admit --publish")
        return 1
    print_text("The committed ledger is that of the run folders.")
    return 0


def write_ledger(rows: Sequence[Row], table: Path, page: Path) -> None:
    """Write both files, each in one step."""
    draft = table.with_name(f".{table.name}-{os.getpid()}")
    write_csv(ledger_table(rows), draft).replace(table)
    draft = page.with_name(f".{page.name}-{os.getpid()}")
    draft.write_text(make_page(rows), encoding="utf-8")
    draft.replace(page)


def _request(task: str, design: Design) -> Request:
    return Request(
        method=[design.method],
        task=task,
        proxy=[PROXY, *CONTROLS],
        worlds=design.worlds,
        seeds=design.seeds,
        kl_grid=["task"],
    )


def _print(rows: Sequence[Row]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, title_justify="left",
                  title="Which tasks can carry a ranking")  # fmt: skip
    for name in ("task", "of", "worlds", "seeds", "verdict", "what does not hold"):
        table.add_column(name, overflow="fold")
    for row in rows:
        worlds = " ".join(map(str, row.found.worlds)) if row.found else "–"
        seeds = str(row.found.seeds) if row.found else "–"
        table.add_row(row.task, row.scope, worlds, seeds, row.verdict, row.reason)
    open_console().print(table)
