"""Finds tasks, gold rewards, methods and proxies by name; imports and runs none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import get_args

from overopt.catalog.declarations import Declaration, read_declaration, unknown
from overopt.catalog.packages import LONGEST_NAME, OWN_NAME, Registered, registered
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.spec.declare import Family
from overopt.spec.method import MethodSpec
from overopt.spec.system import ProxySystemSpec

PACKAGE = Path(__file__).parents[1]

SINGULAR = {
    "methods": "method",
    "tasks": "task",
    "proxies": "proxy",
    "gold": "gold",
    "monitors": "monitor",
}
"""What can be found by name, and what one of each is called."""


def data_folder(kind: str) -> Path:
    """Folder of the shipped ``tasks`` or ``gold`` declarations: in the wheel, or the checkout."""
    packaged = PACKAGE / "_data" / kind
    return packaged if packaged.is_dir() else PACKAGE.parent.parent / kind


def shipped(kind: str) -> list[str]:
    """Names of all that is shipped of a kind (``SINGULAR``), sorted."""
    if kind in ("tasks", "gold"):
        return sorted(path.stem for path in data_folder(kind).glob("*.toml"))
    return sorted(files(kind))


def files(kind: str) -> dict[str, Path]:
    """Files of the shipped ``methods`` (a folder for each family) and other plug-ins by name."""
    folders = [PACKAGE / kind / family for family in get_args(Family)]
    places = folders if kind == "methods" else [PACKAGE / kind]
    return {
        canonical(path.stem): path
        for place in places
        for path in place.glob("*.py")
        if path.stem not in ("__init__", "contract")
    }


def from_packages(kind: str) -> tuple[Registered, ...]:
    """What installed packages add to what is shipped; those that cannot be used say why."""
    taken = set(shipped(kind))
    return tuple(
        replace(one, problem=f"{one.name} is the name of a shipped {SINGULAR[kind]}; rename it")
        if one.name in taken
        else one
        for one in registered(kind)
    )


def names(kind: str) -> list[str]:
    """Names of all shipped ones and of those that installed packages add, sorted."""
    added = (one.name for one in from_packages(kind) if not one.problem)
    return sorted([*shipped(kind), *added])


def registered_as(kind: str, name: str) -> Registered | None:
    """What an installed package registers under a name, if one does.

    Raises:
        UserError: it is registered, but cannot be used.
    """
    if name in shipped(kind):
        return None
    for one in from_packages(kind):
        if one.name == name and one.problem:
            raise UserError(
                f"The {SINGULAR[kind]} {name} of the package {one.package} cannot be used: "
                f"{one.problem}."
            )
        if one.name == name:
            return one
    return None


def origin(kind: str, name: str) -> str:
    """Where a named one comes from: ``overopt``, or the package that registers it."""
    one = registered_as(kind, canonical(name))
    return "overopt" if one is None else one.package


def canonical(name: str) -> str:
    """The name that people read: words joined by dashes, where a file's stem has underscores."""
    return name.replace("_", "-")


def _locate(kind: str, name: str) -> tuple[str, Path, str]:
    """Name, path and source of a shipped file, a registered one, or the user's own (``.py``)."""
    if is_file(name):
        path = Path(name).resolve()
        if not path.is_file():
            raise UserError(f"{kind}: there is no file {name}; give the path of a Python file.")
        if path not in files(kind).values():
            return path.stem, path, str(path)
        name = path.stem
    name = canonical(name)
    one = registered_as(kind, name)
    if one is not None:
        return name, one.file, one.module
    if name not in names(kind):
        here = [given for given in (f"{name}.py", f"{name.replace('-', '_')}.py")
                if Path(given).is_file()]  # fmt: skip
        hint = f" There is a file of yours here: give ./{here[0]}." if here else ""
        raise UserError(unknown(SINGULAR[kind], name, names(kind)) + hint)
    path = files(kind)[name]
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return name, path, f"{PACKAGE.name}.{module}"


def check_names(kind: str, specs: Sequence[MethodSpec] | Sequence[ProxySystemSpec]) -> None:
    """Refuse names that cannot tell results apart.

    Raises:
        UserError: a user's file is named like a shipped or installed one, two of the same kind
            share a name, or a name cannot be that of a folder.
    """
    option = f"--{SINGULAR[kind]}"
    seen: dict[str, str] = {}
    for spec in specs:
        known = canonical(spec.name)
        if not OWN_NAME.fullmatch(spec.name):
            raise _bad_name(kind, spec.source)
        if is_file(spec.source) and known in names(kind):
            raise _taken_name(kind, spec.source, known)
        if known in seen and seen[known] == spec.source:
            raise UserError(f"{option} {spec.name} is given twice; give it once.")
        if known in seen:
            raise UserError(
                f"{option}: {seen[known]} and {spec.source} have the same name; rename one of them."
            )
        seen[known] = spec.source


def check_name(kind: str, file: str, name: str) -> None:
    """Refuse a task or gold of the user's own whose name cannot tell its results apart.

    Args:
        kind: ``tasks`` or ``gold``.
        file: what the user gave: a name, or the path of a file.
        name: what it is called in results.

    Raises:
        UserError: a user's file is named like a shipped or installed one, or its name cannot be
            that of a folder.
    """
    if not file.endswith(".toml"):
        return
    theirs = [data_folder(kind) / f"{one}.toml" for one in shipped(kind)]
    theirs += [one.file for one in from_packages(kind) if not one.problem]
    if Path(file).resolve() in {path.resolve() for path in theirs}:
        return
    if not OWN_NAME.fullmatch(name):
        raise _bad_name(kind, file)
    if canonical(name) in names(kind):
        raise _taken_name(kind, file, canonical(name))


def _bad_name(kind: str, file: str) -> UserError:
    return UserError(
        f"--{SINGULAR[kind]} {file}: the file's name is the name in the results; use letters, "
        f"digits, - and _ only, {LONGEST_NAME} at most."
    )


def _taken_name(kind: str, file: str, name: str) -> UserError:
    holder = "a shipped" if name in shipped(kind) else "an installed"
    return UserError(
        f"--{SINGULAR[kind]} {file}: {name} is the name of {holder} {SINGULAR[kind]}; rename the "
        "file, so that their results are told apart."
    )


def declaration(kind: str, name: str) -> Declaration:
    """What the file of a plug-in declares, read from its syntax tree.

    Args:
        kind: ``"methods"``, ``"proxies"`` or ``"monitors"``.
        name: a shipped or registered name, or the path of a ``.py`` file.

    Raises:
        UserError: unknown name, or a file whose declarations are not literals.
    """
    found_name, path, source = _locate(kind, name)
    return _read_once(path, path.stat().st_mtime_ns, found_name, source)


@cache
def _read_once(path: Path, changed_ns: int, name: str, source: str) -> Declaration:
    return read_declaration(path, name, source)
