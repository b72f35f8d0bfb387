"""What installed packages register by entry points; nothing is imported.

A distribution names a module in the group ``overopt.methods``, ``overopt.proxies`` or
``overopt.monitors``, or a TOML file of a package in ``overopt.tasks``:

    [project.entry-points."overopt.methods"]
    my-loss = "my_losses.my_loss"
    [project.entry-points."overopt.tasks"]
    my-task = "my_losses.tasks:my_task.toml"
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path

from overopt.errors import one_line
from overopt.execution.code.modules import find_module

LONGEST_NAME = 100
OWN_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}")
"""Names of what users add: results lie in folders of these names."""
GROUPS = {kind: f"overopt.{kind}" for kind in ("methods", "proxies", "tasks", "monitors")}


@dataclass(frozen=True)
class Registered:
    """One entry point of ours.

    name: as people type it, with dashes. package: name and version of the distribution.
    module: dotted name of the module, or of the package that holds a task.
    file: where it lies. problem: why it cannot be used; empty for a good one.
    """

    name: str
    package: str
    module: str
    file: Path = Path()
    problem: str = ""


def registered(kind: str) -> tuple[Registered, ...]:
    """What installed packages register of one kind, sorted by name; broken ones say why.

    Args:
        kind: ``methods``, ``proxies``, ``monitors`` or ``tasks``; nothing can register anything
            else.
    """
    return _registered(kind, tuple(sys.path)) if kind in GROUPS else ()


@cache
def _registered(kind: str, path: tuple[str, ...]) -> tuple[Registered, ...]:
    found = sorted(_entries(kind, path), key=lambda one: (one.name, one.package))
    holders: dict[str, list[str]] = {}
    for one in found:
        holders.setdefault(one.name, []).append(one.package)
    return tuple(
        replace(
            one,
            problem=f"{' and '.join(holders[one.name])} register the same name; uninstall all "
            "but one",
        )
        if len(holders[one.name]) > 1
        else one
        for one in found
    )


@cache
def _installed(path: tuple[str, ...]) -> tuple[tuple[str, metadata.Distribution], ...]:
    """Every installed package by its name and version; of two of one name the first."""
    found: dict[str, tuple[str, metadata.Distribution]] = {}
    for distribution in metadata.distributions(path=list(path)):
        try:
            known = distribution.metadata
            name, version = known["Name"], known["Version"]
            found.setdefault(name.lower().replace("_", "-"), (f"{name} {version}", distribution))
        except Exception:
            continue  # a leftover without a name is nobody's package
    return tuple(found.values())


def _entries(kind: str, path: tuple[str, ...]) -> Iterator[Registered]:
    for package, distribution in _installed(path):
        try:
            entries = [e for e in distribution.entry_points if e.group == GROUPS[kind]]
        except Exception as error:
            if _may_be_ours(distribution, GROUPS[kind]):
                problem = f"its entry_points.txt cannot be read: {error}"
                named = one_line(distribution.name, LONGEST_NAME)
                yield Registered(named, one_line(package), "", problem=one_line(problem))
            continue
        for entry in entries:
            place = _task_file if kind == "tasks" else _module_file
            yield _checked(place(entry.name.replace("_", "-"), package, entry.value))


def _may_be_ours(distribution: metadata.Distribution, group: str) -> bool:
    """Whether a list of entry points that cannot be parsed may hold some of ours."""
    try:
        return group in (distribution.read_text("entry_points.txt") or "")
    except Exception:
        return True  # nobody can read it, so that nobody knows


def _checked(one: Registered) -> Registered:
    """The same, with texts that a terminal shows as they are, and a name that results may bear."""
    if not OWN_NAME.fullmatch(one.name):
        told = f"{one.name!r} is no name; use letters, digits, - and _ only, {LONGEST_NAME} at most"
        one = replace(one, name=one_line(one.name, LONGEST_NAME), problem=told)
    return replace(one, package=one_line(one.package), problem=one_line(one.problem))


def _module_file(name: str, package: str, value: str) -> Registered:
    """The module that an entry point names."""
    module, colon, _ = (part.strip() for part in value.partition(":"))
    one = Registered(name, package, module)
    if colon or not module:
        return replace(one, problem=f"{value!r} does not name a module alone, such as package.name")
    file = find_module(module)
    if file is None:
        return replace(one, problem=f"there is no Python file of the module {module}")
    return replace(one, file=file)


def _task_file(name: str, package: str, value: str) -> Registered:
    """The TOML file inside of a package that an entry point names."""
    module, _, file_name = (part.strip() for part in value.partition(":"))
    one = Registered(name, package, module)
    if not file_name.endswith(".toml"):
        return replace(one, problem=f"{value!r} does not name a file, such as package:name.toml")
    holder = find_module(module)
    if holder is None or holder.name != "__init__.py":
        return replace(one, problem=f"there is no package {module} with an __init__.py")
    file = holder.with_name(file_name)
    if not file.is_file():
        return replace(one, problem=f"the package {module} holds no file {file_name}")
    return replace(one, file=file)
