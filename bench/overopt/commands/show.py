"""``bench show``: everything that one method, proxy, task, gold or monitor declares."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from overopt.catalog import lookup, systems, toml_files
from overopt.catalog.declarations import Declaration, unknown
from overopt.catalog.monitors import monitor
from overopt.catalog.papers import papers_of
from overopt.commands.cards.curves import baseline_of, cost_of, curve_of, read_curves
from overopt.commands.cards.facts import checked, method_reads, proxy_reads
from overopt.commands.cards.plot import plot_lines
from overopt.commands.descriptions import describe_method, describe_monitor, describe_proxy
from overopt.commands.options.names import same_name
from overopt.commands.printing import open_console, print_json
from overopt.errors import UserError, one_line
from overopt.execution.code.modules import find_module, is_file
from overopt.spec.frozen import Spec

_MODULES = ("methods", "proxies", "monitors")
"""Kinds that come as Python files."""

_TOLD_BY = (("FAMILY", "methods"), ("ACTS", "monitors"))
"""What tells the file of a method or of a monitor from that of a proxy."""

_GOLD_USE = {
    "none": "never sees gold",
    "selection": "gold selects among its results",
    "training": "gold is used in its training",
}


def show(name: str, as_json: bool = False) -> int:
    """Print everything that a method, proxy, task, gold or monitor declares."""
    name = _as_written(name)
    kind = _kind_of(name)
    if as_json:
        print_json(lookup.SINGULAR[kind], _record(kind, name))
        return 0
    console = open_console()
    if kind in _MODULES:
        _show_module(kind, name, console)
    else:
        _show_declaration(kind, name, console)
    return 0


def _as_written(name: str) -> str:
    """A name in the case and with the dashes that it is known by."""
    return next(
        (same for kind in lookup.SINGULAR if (same := same_name(kind, name)) in lookup.names(kind)),
        name,
    )


def _record(kind: str, name: str) -> dict[str, object]:
    """What is shown, as JSON values."""
    if kind in ("tasks", "gold"):
        spec = toml_files.load_task(name) if kind == "tasks" else toml_files.load_gold(name)
        values = spec.to_json()
        head = {key: values.pop(key) for key in ("name", "summary")}
        return {**head, "values": values, "file": str(toml_files.read_toml(kind, name)[0])}
    found = lookup.declaration(kind, name)
    described = _described(kind, name, found)
    settings = [
        {
            "name": one.name,
            "type": one.type.__name__,
            "default": one.default,
            "allowed": one.allowed(),
            "unit": one.unit,
            "help": one.help,
        }
        for one in found.parameters
    ]
    papers = [
        {
            "authors": list(one.authors),
            "and_others": one.and_others,
            "year": one.year,
            "title": one.title,
            "link": one.link or None,
        }
        for one in papers_of(found.docstring)
    ]
    from_package = (not is_file(found.source) and lookup.origin(kind, name)) or None
    return {
        **described,
        "docstring": found.docstring,
        "reads": _reads(kind, name, found),
        "checked": checked(found.docstring),
        "papers": papers,
        "settings": settings,
        "from": from_package,
        "file": str(_file(found.source)),
    }


def _described(kind: str, name: str, found: Declaration) -> dict[str, object]:
    if kind == "methods":
        return describe_method(found, systems.method(name))
    if kind == "proxies":
        return describe_proxy(found, systems.proxy(name))
    return describe_monitor(found, monitor(name))


def _kind_of(name: str) -> str:
    """What a name is, or what a file of one's own declares."""
    for kind in lookup.SINGULAR:
        if lookup.canonical(name) in lookup.names(kind):
            return kind
    if is_file(name):
        constants = lookup.declaration("methods", name).constants
        return next((kind for key, kind in _TOLD_BY if key in constants), "proxies")
    if name.endswith(".toml"):
        return "tasks" if "world" in toml_files.read_toml("tasks", name)[1] else "gold"
    everything = [known for kind in lookup.SINGULAR for known in lookup.names(kind)]
    raise UserError(
        unknown("name", name, everything) + " A .py or .toml file can be shown as well."
    )


def _show_module(kind: str, name: str, console: Console) -> None:
    found = lookup.declaration(kind, name)
    head, *rest = paragraphs(found.docstring)
    console.print(head)
    console.print()
    for label, value in _facts(kind, name, found):
        console.print(f"{label:<8} {value}", soft_wrap=True)
    if kind != "monitors":
        _show_curve(kind, name, console)
    console.print()
    for paragraph in rest:
        console.print(paragraph, soft_wrap=paragraph.startswith(" "))
    if found.parameters:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("setting", "default", "allowed", "meaning"):
            table.add_column(column, no_wrap=column == "setting")
        for one in found.parameters:
            default = "required" if one.default is None else str(one.default)
            cells = (one.name, default, one.allowed(), one.help)
            table.add_row(*(cell for cell in cells))
        console.print(table)
        first = found.parameters[0]
        if kind != "monitors":
            console.print(f"Change one with --set {found.name}.{first.name}=VALUE.")
    if kind == "monitors":
        console.print(f"Try: bench monitor --method rloo --task tabular --seeds 5 --monitor {name}")
    else:
        console.print(f"Try: bench run {_try(kind, name)} --kl-grid")


def _facts(kind: str, name: str, found: Declaration) -> Iterator[tuple[str, str]]:
    """What a card tells in a line each: its name and its value."""
    if kind == "methods":
        method = systems.method(name)
        knob = method.knob
        direction = "more" if knob.raises_kl else "less"
        yield "family", f"{method.family}; {_GOLD_USE[method.uses_gold]}"
        yield (
            "knob",
            f"{knob.name}, searched from {knob.low:g} to {knob.high:g}; "
            f"larger means {direction} KL",
        )
    elif kind == "monitors":
        yield (
            "acts",
            {"alarm": "alarm: somebody should look", "stop": "stop: the run ends"}[
                monitor(name).acts
            ],
        )
    else:
        proxy = systems.proxy(name)
        if proxy.uses_gold != "none":
            yield "gold", f"{_GOLD_USE[proxy.uses_gold]}, beyond noisy comparisons"
        elif proxy.step_scores:
            yield "gold", "its opinion of every step trains the members"
        yield "members", str(proxy.members)
    yield "reads", _reads(kind, name, found)
    yield "checked", checked(found.docstring)
    if not is_file(found.source) and lookup.origin(kind, name) != "overopt":
        yield "package", lookup.origin(kind, name)
    yield "file", str(_file(found.source))
    links = dict.fromkeys(paper.link for paper in papers_of(found.docstring) if paper.link)
    yield from (("paper", link) for link in links)
    if links:
        yield "cite", f"bench cite {name}"


def _reads(kind: str, name: str, found: Declaration) -> str:
    inputs = tuple(str(one) for one in found.constants.get("INPUTS", ()))
    if kind == "methods":
        return method_reads(systems.method(name), inputs)
    if kind == "monitors":
        return ", ".join(one.replace("_", " ") for one in monitor(name).reads) or "steps only"
    return proxy_reads(systems.proxy(name), inputs)


def _show_curve(kind: str, name: str, console: Console) -> None:
    """The committed curve and its cost, or that there is none."""
    curves = read_curves()
    curve = curve_of(curves, "methods" if kind == "methods" else "proxies", name)
    if curve is None:
        console.print("curve    none is committed with this version")
        return
    if kind == "methods":
        method = systems.method(name)
        per_answer = method.family == "selection" and not method.composes
        baseline = baseline_of(method.name, method.trains, per_answer)
        if cost := cost_of(curves, curve, baseline):
            console.print(f"cost     {cost}")
    by = f"{curve.method}, " if kind == "proxies" else ""
    console.print(f"curve    gold, SDs, against KL: {by}{curve.where}")
    for line in plot_lines(curve.budgets):
        console.print(line, soft_wrap=True)


def _file(source: str) -> Path | None:
    return Path(source) if is_file(source) else find_module(source)


def _try(kind: str, name: str) -> str:
    option = f"--{lookup.SINGULAR[kind]} {name}"
    return (
        option
        if kind == "methods"
        else f"--method {'bon' if kind == 'proxies' else 'dpo'} {option}"
    )


def paragraphs(docstring: str) -> Iterator[str]:
    """The docstring with its prose joined into paragraphs; indented formulas stay as they are."""
    prose: list[str] = []
    for line in [*docstring.splitlines(), ""]:
        starts = line.startswith(("Paper:", "Deviations:"))
        if prose and (starts or not line or line.startswith(" ")):
            yield " ".join(prose)
            prose = []
        if line.startswith(" "):
            yield line
        elif line:
            prose.append(line)


def _show_declaration(kind: str, name: str, console: Console) -> None:
    spec: Spec = toml_files.load_task(name) if kind == "tasks" else toml_files.load_gold(name)
    values = dict(_flatten(spec.to_json()))
    console.print(one_line(f"{values.pop('name')}: {values.pop('summary')}."))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("key", no_wrap=True)
    table.add_column("value")
    for key, value in values.items():
        if value is not None:
            table.add_row(key, one_line(value if isinstance(value, str) else json.dumps(value)))
    console.print(table)
    path, _ = toml_files.read_toml(kind, name)
    console.print(f"file     {path}", soft_wrap=True)
    if kind == "tasks":
        console.print("Change a value with --set KEY=VALUE.")
    console.print(f"Try: bench run {_try(kind, name)} --kl-grid")


def _flatten(values: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    """Nested tables as dotted keys, the way ``--set`` takes them."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
