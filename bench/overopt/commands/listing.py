"""``bench list`` and ``bench show``: what there is, from declarations only."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from overopt import catalog
from overopt.errors import UserError

KINDS = ("methods", "tasks", "proxies", "gold")


def show_kind(kind: str) -> int:
    """Print the names of one kind with a line about each."""
    if kind not in KINDS:
        raise UserError(catalog.unknown("kind", kind, KINDS))
    table = Table(title=kind)
    for name in ("name", "family", "knob", "summary") if kind == "methods" else ("name", "summary"):
        table.add_column(name)
    for name in catalog.names(kind):
        table.add_row(name, *_columns(kind, name))
    Console().print(table)
    return 0


def _columns(kind: str, name: str) -> list[str]:
    if kind == "methods":
        spec = catalog.method(name)
        return [spec.family, spec.knob.name, escape(catalog.declaration(kind, name).summary)]
    if kind == "proxies":
        return [escape(catalog.declaration(kind, name).summary)]
    if kind == "tasks":
        return [escape(catalog.load_task(name).summary)]
    return [escape(catalog.load_gold(name).summary)]


def show_name(name: str) -> int:
    """Print everything that a method, proxy, task or gold declares."""
    console = Console()
    for kind in ("methods", "proxies"):
        if name in catalog.names(kind) or name.endswith(".py"):
            found = catalog.declaration(kind, name)
            console.print(found.docstring, markup=False, highlight=False)
            table = Table(title=f"settings of {found.name}: --set {found.name}.NAME=VALUE")
            for column in ("name", "default", "allowed", "meaning"):
                table.add_column(column)
            for one in found.parameters:
                default = "required" if one.default is None else str(one.default)
                table.add_row(one.name, default, one.allowed(), one.help)
            if found.parameters:
                console.print(table)
            return 0
    for kind in ("tasks", "gold"):
        if name in catalog.names(kind) or name.endswith(".toml"):
            path = catalog.data_folder(kind) / f"{name}.toml"
            spec = catalog.load_task(name) if kind == "tasks" else catalog.load_gold(name)
            console.print_json(data=spec.to_json())
            console.print(f"declared in {path}", markup=False)
            return 0
    everything = [known for kind in KINDS for known in catalog.names(kind)]
    raise UserError(catalog.unknown("name", name, everything))
