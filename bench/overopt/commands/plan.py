"""``bench plan``: what a run would do and cost; nothing runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from overopt.commands.accelerator import find_accelerator
from overopt.commands.options.needs import is_offline, print_needs
from overopt.commands.planning.forecasting import print_forecast
from overopt.commands.printing import open_console, print_colored, print_json
from overopt.execution.node import Node, uncollected
from overopt.execution.store import Store, open_store
from overopt.run.cells import cells_of, first_of_worlds, tell_blind
from overopt.run.forecasts.hub import (
    estimator,
    machine_of,
    needs,
    needs_accelerator,
)
from overopt.run.forecasts.machines import Machine
from overopt.run.forecasts.source_need import SourceNeed, download_gb
from overopt.run.forecasts.stages import Estimate, Forecast, forecast, laptop
from overopt.run.graph import Graph
from overopt.run.graphs import Graphs
from overopt.run.pursuit import foreseen
from overopt.run.refusals import check_possible, name_of
from overopt.spec.run import RunSpec


class Planned(NamedTuple):
    """What runs come to: nodes that are wanted, cells, and what cannot run with the reason."""

    nodes: Sequence[Node]
    cells: int
    refused: Mapping[str, str]


def planned(specs: Sequence[RunSpec]) -> Planned:
    """Nodes and cells of runs; what they share is made once."""
    refused = check_possible(specs)
    nodes: list[Node] = []
    count, graphs = 0, Graphs(Graph)
    with uncollected():
        for one in specs:
            cells = [cell for cell in cells_of(one) if name_of(cell) not in refused]
            count += len(cells)
            nodes += [made for cell in cells for made in foreseen(graphs(cell), one)]
            nodes += [graphs(cell).front(one.kl_grid_nats) for cell in first_of_worlds(cells)]
    return Planned(nodes, count, refused)


def foresee(specs: Sequence[RunSpec], store_root: Path | None, workers: int) -> Forecast:
    """What runs in generated worlds would cost, less what the store has.

    Raises:
        NothingToRun: none of them can run.
    """
    nodes = planned(specs).nodes
    with uncollected():
        return forecast(nodes, open_store(store_root), workers)


def plan(
    specs: Sequence[RunSpec], store_root: Path | None, workers: int, as_json: bool = False
) -> int:
    """Print what a run would do and cost; nothing runs."""
    spec = specs[0]
    nodes, count, refused = planned(specs)
    for name, reason in refused.items():
        print_colored(open_console(stderr=True), "red", "cannot run", f" {name}: {reason}")
    store = open_store(store_root)
    console = open_console()
    needed: Sequence[SourceNeed] = ()
    machine = Machine(None, is_found=False)
    estimate: Callable[[Node], Estimate] = laptop
    if spec.task.world.hub is not None:
        needed = needs(spec, is_offline())
        if not as_json:
            print_needs(needed, console)
        machine = machine_of(needed, find_accelerator() if needs_accelerator(needed) else None)
        estimate = estimator(machine)
    budgets = ", ".join(f"{kl_nats:g}" for kl_nats in spec.kl_grid_nats)
    with uncollected():
        found = forecast(nodes, store, workers, estimate)
    if as_json:
        print_json("plan", _record(specs, found, needed, workers, store, count))
        return 0
    print_forecast(found, machine, workers, download_gb(needed), console)
    worlds = f"world{'s' if len(spec.worlds) > 1 else ''} {', '.join(map(str, spec.worlds))}"
    console.print(
        f"{count} cells in {worlds}; KL budgets {budgets} nats; store {store.place}",
        soft_wrap=True,
    )
    if spec.flaws:
        flaws = ", ".join(flaw.label for flaw in spec.flaws)
        console.print(f"flaws of the labels, each beside none: {flaws}", soft_wrap=True)
    levels = [one.place for one in specs if one.levels]
    if levels:
        console.print(f"{len(specs)} runs, with levels: {'; '.join(levels)}", soft_wrap=True)
    if notice := tell_blind(spec):
        console.print(notice, soft_wrap=True)
    if any(map(_is_searched, specs)):
        console.print(
            "the knob is driven to the budgets: runs after the first coarse grid depend on what "
            "it finds and are not counted",
            soft_wrap=True,
        )
    if found.disk_bytes is not None and found.disk_bytes > found.free_bytes:
        print_colored(
            open_console(stderr=True), "red", "the store's disk is too small for this run", ""
        )
    return 0


def _is_searched(spec: RunSpec) -> bool:
    """Whether more runs come once the first have shown where the knob leads."""
    return spec.along == "knob" and any(method.retrains for method in spec.methods)


def _record(
    specs: Sequence[RunSpec],
    found: Forecast,
    needed: Sequence[SourceNeed],
    workers: int,
    store: Store,
    cells: int,
) -> dict[str, object]:
    """The plan as JSON values; null where the size of a model is unknown."""
    spec = specs[0]
    methods = dict.fromkeys(method.name for one in specs for method in one.methods)
    proxies = dict.fromkeys(proxy.name for one in specs for proxy in one.proxies)
    levels = {"levels": [one.place for one in specs]} if any(one.levels for one in specs) else {}
    return {
        "task": spec.task.name,
        "methods": list(methods),
        "proxies": list(proxies),
        **levels,
        "worlds": list(spec.worlds),
        "seeds": list(spec.seeds),
        "kl_grid_nats": list(spec.kl_grid_nats),
        "cells": cells,
        "more_runs_follow": any(map(_is_searched, specs)),
        "workers": workers,
        "store": store.place,
        **asdict(found),
        "sources": [asdict(one) for one in needed],
    }
