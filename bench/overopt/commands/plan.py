"""``bench plan``: what a run would do and cost; nothing runs."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from overopt.commands.needs import is_offline, per_stage_s, print_needs
from overopt.execution.store import Store
from overopt.report.quantities import show_bytes, show_duration
from overopt.run.cells import cells_of, first_of_worlds, tell_blind
from overopt.run.forecast import Forecast, forecast
from overopt.run.graph import Graph
from overopt.run.hub_forecast import survey
from overopt.run.pursuit import foreseen
from overopt.spec.run import RunSpec


def plan(spec: RunSpec, store_root: Path | None, workers: int) -> int:
    """Print what a run would do and cost; nothing runs."""
    cells = cells_of(spec)
    nodes = [made for cell in cells for made in foreseen(cell, spec)]
    nodes += [Graph(cell).front(spec.kl_grid_nats) for cell in first_of_worlds(cells)]
    store = Store(store_root)
    console = Console()
    needed = None if spec.task.world.hub is None else survey(spec, is_offline())
    if needed is not None:
        print_needs(needed, console)
    found = forecast(nodes, store, workers, per_stage_s(needed, nodes))
    console.print(_plan_table(found))
    budgets = ", ".join(f"{kl_nats:g}" for kl_nats in spec.kl_grid_nats)
    worlds = f"world{'s' if len(spec.worlds) > 1 else ''} {', '.join(map(str, spec.worlds))}"
    console.print(f"{len(cells)} cells in {worlds}; KL budgets {budgets} nats; store {store.root}")
    if notice := tell_blind(spec):
        console.print(escape(notice), soft_wrap=True, highlight=False)
    console.print(
        f"about {show_duration(found.wall_s)} with {workers} workers, "
        f"{show_bytes(found.memory_bytes)} of memory, {show_bytes(found.disk_bytes)} of disk "
        f"({show_bytes(found.free_bytes)} free); these are estimates, nothing was run"
    )
    if spec.along == "knob" and any(method.retrains for method in spec.methods):
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
    for name in ("cached", "new", "time to run, one worker", "disk needed"):
        table.add_column(name, justify="right")
    for one in found.stages:
        table.add_row(
            one.stage,
            str(one.cached),
            str(one.new),
            show_duration(one.wall_s) if one.new else "",
            show_bytes(one.disk_bytes) if one.new else "",
        )
    return table
