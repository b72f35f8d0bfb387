"""``bench run`` and ``bench plan``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from overopt.commands.needs import is_offline, per_stage_s, print_needs
from overopt.commands.screen import Screen
from overopt.commands.trial import try_own
from overopt.execution.store import Store
from overopt.run.cells import Graph, cells_of
from overopt.run.driver import execute_run
from overopt.run.forecast import Forecast, forecast
from overopt.run.hub_forecast import survey
from overopt.run.pursuit import foreseen
from overopt.run.sources import prepare
from overopt.spec.run import RunSpec


def run(
    spec: RunSpec,
    store_root: Path | None,
    out: Path,
    workers: int,
    quiet: bool,
    arguments: Sequence[str],
) -> int:
    """Run, write results, print the table; returns the exit code (1 when a cell failed)."""
    console, errors = Console(), Console(stderr=True)
    try_own(spec)
    prepare(spec)
    store = Store(store_root)
    with Screen(errors, quiet) as screen:
        outcome = execute_run(
            spec, store, out, workers=workers, arguments=arguments, on_notice=screen
        )
    _print_results(outcome.folders, console)
    for title, failure in outcome.failures:
        stage = "" if failure.title == title else f" {failure.title}:"
        told = escape(f"{title}:{stage} {failure.message}")
        errors.print(f"[red]failed[/] {told}", soft_wrap=True, highlight=False)
    for folder in outcome.folders:
        console.print(f"results: {folder}", soft_wrap=True)
    words = " ".join(str(folder) for folder in outcome.folders)
    console.print(f"next: bench report {words}", soft_wrap=True)
    return 1 if outcome.failures else 0


def _print_results(folders: Sequence[Path], console: Console) -> None:
    from overopt.report import run_table
    from overopt.report.results import read_results

    console.print(run_table(read_results(list(folders)).points))


def plan(spec: RunSpec, store_root: Path | None, workers: int) -> int:
    """Print what a run would do and cost; nothing runs."""
    cells = cells_of(spec)
    nodes = [made for cell in cells for made in foreseen(cell, spec)]
    nodes.append(Graph(cells[0]).front(spec.kl_grid_nats))
    store = Store(store_root)
    console = Console()
    needed = None if spec.task.world.hub is None else survey(spec, is_offline())
    if needed is not None:
        print_needs(needed, console)
    found = forecast(nodes, store, workers, per_stage_s(needed, nodes))
    console.print(_plan_table(found))
    budgets = ", ".join(f"{kl_nats:g}" for kl_nats in spec.kl_grid_nats)
    console.print(f"{len(cells)} cells; KL budgets {budgets} nats; store {store.root}")
    console.print(
        f"about {_duration(found.wall_s)} with {workers} workers, "
        f"{found.memory_bytes / 1e9:.1f} GB of memory, {found.disk_bytes / 1e6:.0f} MB of disk "
        f"({found.free_bytes / 1e9:.1f} GB free); estimates, nothing was run"
    )
    if spec.along == "beta" and any(method.retrains for method in spec.methods):
        console.print(
            "the knob is driven to the budgets: runs after the first coarse grid depend on what "
            "it finds and are not counted"
        )
    if found.disk_bytes > found.free_bytes:
        Console(stderr=True).print("[red]the store's disk is too small for this run[/]")
    return 0


def _plan_table(found: Forecast) -> Table:
    table = Table(title="Stages")
    table.add_column("stage")
    for name in ("cached", "new", "time of new, one worker", "disk of new"):
        table.add_column(name, justify="right")
    for one in found.stages:
        table.add_row(
            one.stage,
            str(one.cached),
            str(one.new),
            _duration(one.wall_s) if one.new else "",
            f"{one.disk_bytes / 1e6:.1f} MB" if one.new else "",
        )
    return table


def _duration(wall_s: float) -> str:
    if wall_s < 90:
        return f"{wall_s:.0f} s"
    return f"{wall_s / 60:.0f} min" if wall_s < 5400 else f"{wall_s / 3600:.1f} h"


def report(run_dirs: list[Path], out: Path) -> int:
    """Write figures, tables and the page."""
    from overopt.report import write_report

    written = write_report(run_dirs, out)
    sys.stdout.write("".join(f"{path}\n" for path in written))
    return 0
