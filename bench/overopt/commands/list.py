"""``bench list``: the methods, tasks, proxies and gold rewards that can be named."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from overopt.catalog import lookup, systems, toml_files
from overopt.catalog.declarations import unknown
from overopt.errors import UserError

_COLUMNS = {
    "methods": ("name", "family", "knob", "summary"),
    "tasks": ("name", "gold", "KL budgets, nats", "summary"),
    "proxies": ("name", "members", "summary"),
    "gold": ("name", "summary"),
}


def list_kind(kind: str) -> int:
    """Print the names of one kind with a line about each, and where installed ones come from."""
    if kind not in lookup.SINGULAR:
        raise UserError(unknown("kind", kind, lookup.SINGULAR))
    added = lookup.from_packages(kind)
    broken = [f"{one.name} of {one.package}: {one.problem}" for one in added if one.problem]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in _COLUMNS[kind]:
        table.add_column(column, no_wrap=column == "name")
    if added:
        table.add_column("from")
    for name in lookup.names(kind):
        origin = lookup.origin(kind, name)
        try:
            row = [*_cells(kind, name), *([origin] if added else [])]
        except UserError as error:
            if origin == "overopt":
                raise
            broken.append(f"{name} of {origin}: {str(error).rstrip('.')}")
            continue
        table.add_row(name, *(escape(cell) for cell in row))
    console = Console()
    console.print(table)
    for told in broken:
        console.print(f"[yellow]broken[/]: {escape(told)}.", highlight=False, soft_wrap=True)
    console.print(f"Use one with --{lookup.SINGULAR[kind]} NAME; see more with bench show NAME.")
    return 0


def _cells(kind: str, name: str) -> tuple[str, ...]:
    if kind == "methods":
        method = systems.method(name)
        return method.family, method.knob.name, lookup.declaration(kind, name).summary
    if kind == "proxies":
        members = systems.proxy(name).members
        return str(members), lookup.declaration(kind, name).summary
    if kind == "tasks":
        task = toml_files.load_task(name)
        low, high = task.kl_grid_nats[0], task.kl_grid_nats[-1]
        return task.gold, f"{low:g} to {high:g}", task.summary
    return (toml_files.load_gold(name).summary,)
