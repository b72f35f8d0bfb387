"""Tasks and gold rewards as their TOML files declare them, checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from overopt.catalog.declarations import unknown
from overopt.catalog.lookup import (
    SINGULAR,
    canonical,
    data_folder,
    names,
    registered_as,
    shipped,
)
from overopt.errors import UserError
from overopt.spec.explanations import explain, most_telling
from overopt.spec.gold import GoldSpec
from overopt.spec.task import TaskSpec


def read_toml(kind: str, name: str) -> tuple[Path, dict[str, Any]]:
    """Path and content of a shipped declaration, or of the user's own .toml file."""
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise UserError(f"There is no file {name}; give the path of a TOML file that exists.")
    elif (one := registered_as(kind, canonical(name))) is not None:
        path = one.file
    elif name in names(kind):
        path = data_folder(kind) / f"{name}.toml"
    else:
        raise UserError(
            unknown(SINGULAR[kind], name, names(kind))
            + " A path that ends in .toml is read as your own."
        )
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from error


def _anchor_paths(table: dict[str, Any], declaration: Path) -> None:
    """Make every ``path`` and ``file`` of a declaration absolute; they are relative to its own.

    Raises:
        UserError: one of them is none that this system can name.
    """
    for key, value in table.items():
        if isinstance(value, dict):
            _anchor_paths(value, declaration)
        elif key in ("path", "file") and isinstance(value, str):
            try:
                table[key] = str((declaration.parent / Path(value).expanduser()).resolve())
            except (ValueError, OSError, RuntimeError) as error:
                raise UserError(
                    f"{declaration}: {key} = {value!r} is no path ({error}); give that of a file "
                    "or a folder."
                ) from error


def _extended(data: dict[str, Any], path: Path) -> dict[str, Any]:
    """A task with all that it does not say itself from the task that it extends.

    Raises:
        UserError: that one is unknown, or extends another one.
    """
    if "extends" not in data:
        return data
    parent = data.pop("extends")
    if not isinstance(parent, str):
        raise UserError(f"{path}: extends = {parent!r} is no name of a task; give it as text.")
    theirs, found = read_toml("tasks", parent)
    if "extends" in found:
        raise UserError(
            f"{path}: extends = '{parent}', which extends another task itself; name that one."
        )
    _anchor_paths(found, theirs)
    return _merged(found, data)


def _merged(table: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two tables, the second one's values in place of the first one's; tables key by key."""
    both = dict(table)
    for key, value in over.items():
        known = both.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            value = _merged(known, value)
        both[key] = value
    return both


def load_task(name: str, overrides: Mapping[str, object] | None = None) -> TaskSpec:
    """The task by name or path of a TOML file, with dotted overrides applied.

    What a file with ``extends`` does not say is that of the task which it names.

    Args:
        name: name of a shipped task, or a path ending in ``.toml``.
        overrides: for instance ``{"proxy.architecture.width": 16}``.

    Raises:
        UserError: unknown name, unreadable file, unknown or missing key, value out of bounds.
    """
    path, data = read_toml("tasks", name)
    by_file = name.endswith(".toml") or name in shipped("tasks")
    data.setdefault("name", path.stem if by_file else canonical(name))
    _anchor_paths(data, path)
    data = _extended(data, path)
    for dotted, value in (overrides or {}).items():
        *parents, leaf = dotted.split(".")
        holder: Any = data
        for part in parents:
            holder = holder.setdefault(part, {}) if isinstance(holder, dict) else None
        if not isinstance(holder, dict):
            raise UserError(f"--set {dotted}: {'.'.join(parents)} is a value, not a table.")
        holder[leaf] = value
    try:
        return TaskSpec.model_validate(data)
    except ValidationError as error:
        wrong = [str(part) for part in most_telling(error)["loc"]]
        keys = [key.split(".") for key in overrides or {}]
        typed = any(key[: len(wrong)] == wrong[: len(key)] for key in keys)
        raise UserError(explain(error, "--set" if typed else str(path), TaskSpec)) from error


def load_gold(name: str) -> GoldSpec:
    """The gold by name or path of a TOML file. Raises UserError as ``load_task``."""
    path, data = read_toml("gold", name)
    data.setdefault("name", path.stem)
    _anchor_paths(data, path)
    try:
        return GoldSpec.model_validate(data)
    except ValidationError as error:
        raise UserError(explain(error, str(path), GoldSpec)) from error
