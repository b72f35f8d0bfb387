"""``bench list``: the methods, tasks, proxies and gold rewards that can be named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

from rich import box
from rich.table import Table

from overopt.catalog import lookup, systems, toml_files
from overopt.catalog.declarations import unknown
from overopt.catalog.monitors import monitor
from overopt.commands.descriptions import (
    STEPS,
    describe_method,
    describe_monitor,
    describe_proxy,
)
from overopt.commands.printing import open_console, print_colored, print_json
from overopt.errors import UserError
from overopt.spec.declare import Family, GoldUse

_LEAST = 12
"""Letters that a summary keeps on any screen."""
_ROOM = 40
"""Letters of a summary for which other columns make way."""
_GIVE_WAY = ("knob", "reads", "KL budgets, nats", "members", "family")
"""Columns that a narrow screen leaves out, the first ones first."""
_SHORT = 30
"""Rows of a table whose summaries are shown whole, on as many lines as they take."""
_COLUMNS = {
    "methods": ("name", "family", "knob", "gold", "summary"),
    "tasks": ("name", "gold", "KL budgets, nats", "summary"),
    "proxies": ("name", "members", "gold", "summary"),
    "gold": ("name", "summary"),
    "monitors": ("name", "acts", "reads", "summary"),
}


def list_kind(
    kind: str,
    family: str | None = None,
    uses_gold: str | None = None,
    needs: Sequence[str] = (),
    as_json: bool = False,
) -> int:
    """Print one line for each of a kind, those that installed packages add included.

    Args:
        kind: ``methods``, ``tasks``, ``proxies``, ``gold`` or ``monitors``.
        family: only methods of this family.
        uses_gold: only methods or proxies that use gold for this.
        needs: only methods or proxies that need all of these.
        as_json: print one JSON object instead of a table.

    Raises:
        UserError: there is no such kind, or a filter fits nothing of it.
    """
    if kind not in lookup.SINGULAR:
        raise UserError(unknown("kind", kind, lookup.SINGULAR))
    _check_filters(kind, family, uses_gold, needs)
    added = lookup.from_packages(kind)
    broken = [f"{one.name} of {one.package}: {one.problem}" for one in added if one.problem]
    rows = []
    for name in lookup.names(kind):
        origin = lookup.origin(kind, name)
        try:
            rows.append({**_row(kind, name), "from": origin})
        except UserError as error:
            if origin == "overopt":
                raise
            broken.append(f"{name} of {origin}: {str(error).rstrip('.')}")
    known = {need for row in rows for need in row.get("needs", ())}
    for need in needs:
        if need not in known:
            raise UserError(unknown("need", need, known))
    rows = [row for row in rows if _fits(row, family, uses_gold, needs)]
    if as_json:
        print_json(kind, {"rows": rows, "broken": broken})
    else:
        _print_table(kind, rows, broken, bool(added))
    return 0


def _row(kind: str, name: str) -> dict[str, Any]:
    if kind == "methods":
        return describe_method(lookup.declaration(kind, name), systems.method(name))
    if kind == "proxies":
        return describe_proxy(lookup.declaration(kind, name), systems.proxy(name))
    if kind == "tasks":
        task = toml_files.load_task(name)
        return {
            "name": task.name,
            "world": task.world.kind,
            "gold": task.gold,
            "kl_grid_nats": list(task.kl_grid_nats),
            "summary": task.summary,
        }
    if kind == "monitors":
        return describe_monitor(lookup.declaration(kind, name), monitor(name))
    gold = toml_files.load_gold(name)
    return {"name": gold.name, "gold": gold.kind, "summary": gold.summary}


def _check_filters(
    kind: str, family: str | None, uses_gold: str | None, needs: Sequence[str]
) -> None:
    if family is not None and kind != "methods":
        raise UserError(f"--family is for methods, not for {kind}; leave it out.")
    if (uses_gold is not None or needs) and kind not in ("methods", "proxies"):
        raise UserError(f"--uses-gold and --needs are for methods and proxies, not for {kind}.")
    if family is not None and family not in get_args(Family):
        raise UserError(unknown("family", family, get_args(Family)))
    uses = [*get_args(GoldUse), *([STEPS] if kind == "proxies" else [])]
    if uses_gold is not None and uses_gold not in uses:
        raise UserError(unknown("use of gold", uses_gold, uses))


def _fits(
    row: dict[str, Any], family: str | None, uses_gold: str | None, needs: Sequence[str]
) -> bool:
    return (
        (family is None or row["family"] == family)
        and (uses_gold is None or row["uses_gold"] == uses_gold)
        and set(needs) <= set(row.get("needs", ()))
    )


def _print_table(
    kind: str, rows: Sequence[dict[str, Any]], broken: Sequence[str], packages: bool
) -> None:
    """A row for each; on a narrow screen some columns give way, and long tables cut summaries."""
    columns = [*_COLUMNS[kind], *(["from"] if packages else [])]
    cells = [{column: _CELLS[column](row) for column in columns} for row in rows]
    console = open_console()
    hidden: list[str] = []
    for column in _GIVE_WAY:
        if column in columns and _room(columns, cells, console.width) < _ROOM:
            columns.remove(column)
            hidden.append(column)
    room = _room(columns, cells, console.width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    whole = len(rows) <= _SHORT
    for column in columns:
        table.add_column(column, no_wrap=column != "summary" or not whole)
    for row in cells:
        summary = row["summary"] if whole else _cut(row["summary"], max(room, _LEAST))
        table.add_row(*({**row, "summary": summary}[column] for column in columns))
    console.print(table)
    if hidden:
        console.print(f"A wider screen shows more columns: {', '.join(hidden)}.")
    for told in broken:
        print_colored(console, "yellow", "broken", f": {told}.")
    console.print(f"Use one with --{lookup.SINGULAR[kind]} NAME; see more with bench show NAME.")


def _room(columns: Sequence[str], cells: Sequence[dict[str, str]], width: int) -> int:
    """Letters that are left for a summary."""
    others = [column for column in columns if column != "summary"]
    taken = sum(max([len(name), *(len(row[name]) for row in cells)]) for name in others)
    return width - taken - 3 * len(columns)


def _cut(text: str, room: int) -> str:
    """As much of a line as there is room for."""
    return text if len(text) <= room else f"{text[: room - 1].rstrip()}…"


def _gold(row: dict[str, Any]) -> str:
    """Which gold a task has, or what a method or proxy uses it for."""
    if "uses_gold" not in row:
        return str(row["gold"])
    return "" if row["uses_gold"] == "none" else str(row["uses_gold"])


def _grid(row: dict[str, Any]) -> str:
    return f"{row['kl_grid_nats'][0]:g} to {row['kl_grid_nats'][-1]:g}"


_CELLS: dict[str, Callable[[dict[str, Any]], str]] = {
    "name": lambda row: str(row["name"]),
    "family": lambda row: str(row["family"]),
    "knob": lambda row: str(row["knob"]["name"]),
    "members": lambda row: str(row["members"]),
    "gold": _gold,
    "acts": lambda row: str(row["acts"]),
    "reads": lambda row: ", ".join(row["reads"]) or "steps",
    "KL budgets, nats": _grid,
    "summary": lambda row: str(row["summary"]),
    "from": lambda row: str(row["from"]),
}
