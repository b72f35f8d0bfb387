"""Finds tasks, golds, methods and proxies by name, without importing torch or running their code.

Tasks and golds are TOML declarations (file stem = name). Methods and proxies are Python files
whose declarations are literals; they are read from the syntax tree, so that listing, planning and
checking a run stay fast and execute nothing. Each is shipped, a file of the user's own, or
registered by an installed package.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from overopt.declarations import Declaration as Declaration
from overopt.declarations import read_declaration, require_functions
from overopt.declarations import unknown as unknown
from overopt.errors import UserError
from overopt.explanations import explain as explain
from overopt.explanations import most_telling
from overopt.loading import is_file
from overopt.loading import load_module as load_module
from overopt.registered import Registered, registered
from overopt.spec import (
    TRAINING_FAMILIES,
    Family,
    GoldSpec,
    GoldUse,
    Knob,
    MethodInput,
    MethodSpec,
    ProxySystemSpec,
    TaskSpec,
)

PACKAGE = Path(__file__).parent
_NOT_DECLARATIONS = {"__init__", "contract", "estimators", "actor_critic"}
_OWN_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SINGULAR = {"methods": "method", "proxies": "proxy", "tasks": "task", "gold": "gold"}
_FUNCTIONS: dict[Family, dict[str, str]] = {
    "pairs": {"loss": "config, batch"},
    "rollout": {"advantages": "config, rollout", "loss": "config, step"},
    "round": {"build": "config, rollout", "loss": "config, batch"},
    "selection": {"weights": "config, pool, knob", "samples_used": "config, pool_samples, knob"},
    "merge": {"merge": "config, initial, trained, knob"},
}
"""What each family supplies, as ``methods.contract`` tells."""
_TOGETHER = (
    {"kl_bound_nats": "config, knob", "knob_for_kl": "config, kl_nats"},
    {"begin": "config, initial", "after_step": "config, memory, weights, step"},
)
_DECLARE = {
    "FAMILY": 'FAMILY = "pairs"',
    "KNOB": 'KNOB = knob("beta", low=0.01, high=10.0, raises_kl=False)',
    "USES_GOLD": 'USES_GOLD = "none"',
}


def data_folder(kind: str) -> Path:
    """Folder of the shipped ``tasks`` or ``gold`` declarations: in the wheel, or the checkout."""
    packaged = PACKAGE / "_data" / kind
    return packaged if packaged.is_dir() else PACKAGE.parent.parent / kind


def shipped(kind: str) -> list[str]:
    """Names of all shipped ``methods``, ``proxies``, ``tasks`` or ``gold``, sorted."""
    if kind in ("tasks", "gold"):
        return sorted(path.stem for path in data_folder(kind).glob("*.toml"))
    return sorted(
        canonical(path.stem)
        for path in (PACKAGE / kind).glob("*.py")
        if path.stem not in _NOT_DECLARATIONS
    )


def from_packages(kind: str) -> tuple[Registered, ...]:
    """What installed packages add to what is shipped; those that cannot be used say why."""
    taken = set(shipped(kind))
    return tuple(
        replace(one, problem=f"{one.name} is the name of a shipped {_SINGULAR[kind]}; rename it")
        if one.name in taken
        else one
        for one in registered(kind)
    )


def names(kind: str) -> list[str]:
    """Names of all shipped ones and of those that installed packages add, sorted."""
    added = (one.name for one in from_packages(kind) if not one.problem)
    return sorted([*shipped(kind), *added])


def _registered_as(kind: str, name: str) -> Registered | None:
    """What an installed package registers under a name, if one does.

    Raises:
        UserError: it is registered, but cannot be used.
    """
    if name in shipped(kind):
        return None
    for one in from_packages(kind):
        if one.name == name and one.problem:
            raise UserError(
                f"The {_SINGULAR[kind]} {name} of the package {one.package} cannot be used: "
                f"{one.problem}."
            )
        if one.name == name:
            return one
    return None


def origin(kind: str, name: str) -> str:
    """Where a named one comes from: ``overopt``, or the package that registers it."""
    one = _registered_as(kind, canonical(name))
    return "overopt" if one is None else one.package


def canonical(name: str) -> str:
    """The name that people read: words joined by dashes, where a file's stem has underscores."""
    return name.replace("_", "-")


def read_toml(kind: str, name: str) -> tuple[Path, dict[str, Any]]:
    """Path and content of a shipped declaration, or of the user's own .toml file."""
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise UserError(f"There is no file {name}; give the path of a TOML file that exists.")
    elif (one := _registered_as(kind, canonical(name))) is not None:
        path = one.file
    elif name in names(kind):
        path = data_folder(kind) / f"{name}.toml"
    else:
        raise UserError(
            unknown(_SINGULAR[kind], name, names(kind))
            + " A path that ends in .toml is read as your own."
        )
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from error


def _anchor_paths(table: dict[str, Any], folder: Path) -> None:
    """Make every ``path`` of a declaration absolute: it is written relative to its file."""
    for key, value in table.items():
        if isinstance(value, dict):
            _anchor_paths(value, folder)
        elif key == "path" and isinstance(value, str):
            table[key] = str((folder / Path(value).expanduser()).resolve())


def load_task(name: str, overrides: Mapping[str, object] | None = None) -> TaskSpec:
    """The task by name or path of a TOML file, with dotted overrides applied.

    Args:
        name: name of a shipped task, or a path ending in ``.toml``.
        overrides: for instance ``{"proxy.architecture.width": 16}``.

    Raises:
        UserError: unknown name, unreadable file, unknown or missing key, value out of bounds.
    """
    path, data = read_toml("tasks", name)
    by_file = name.endswith(".toml") or name in shipped("tasks")
    data.setdefault("name", path.stem if by_file else canonical(name))
    _anchor_paths(data, path.parent)
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
    _anchor_paths(data, path.parent)
    try:
        return GoldSpec.model_validate(data)
    except ValidationError as error:
        raise UserError(explain(error, str(path), GoldSpec)) from error


def _locate(kind: str, name: str) -> tuple[str, Path, str]:
    """Name, path and source of a shipped file, a registered one, or the user's own (``.py``)."""
    if name.endswith(".py"):
        path = Path(name).resolve()
        if not path.is_file():
            raise UserError(f"{kind}: there is no file {name}; give the path of a Python file.")
        if path.parent != PACKAGE / kind:
            return path.stem, path, str(path)
        name = path.stem
    name = canonical(name)
    one = _registered_as(kind, name)
    if one is not None:
        return name, one.file, one.module
    if name not in names(kind):
        here = [given for given in (f"{name}.py", f"{name.replace('-', '_')}.py")
                if Path(given).is_file()]  # fmt: skip
        hint = f" There is a file of yours here: give ./{here[0]}." if here else ""
        raise UserError(unknown(_SINGULAR[kind], name, names(kind)) + hint)
    stem = name.replace("-", "_")
    return name, PACKAGE / kind / f"{stem}.py", f"overopt.{kind}.{stem}"


def check_names(kind: str, specs: Sequence[MethodSpec] | Sequence[ProxySystemSpec]) -> None:
    """Refuse names that cannot tell results apart.

    Raises:
        UserError: a user's file is named like a shipped or installed one, two of the same kind
            share a name, or a name cannot be that of a folder.
    """
    option, one = f"--{_SINGULAR[kind]}", _SINGULAR[kind]
    seen: dict[str, str] = {}
    for spec in specs:
        known = canonical(spec.name)
        if not _OWN_NAME.fullmatch(spec.name):
            raise UserError(
                f"{option} {spec.source}: the file's name is the name in the results; use "
                "letters, digits, - and _ only."
            )
        if is_file(spec.source) and known in names(kind):
            holder = "a shipped" if known in shipped(kind) else "an installed"
            raise UserError(
                f"{option} {spec.source}: {known} is the name of {holder} {one}; rename the file, "
                "so that their results are told apart."
            )
        if known in seen and seen[known] == spec.source:
            raise UserError(f"{option} {spec.name} is given twice; give it once.")
        if known in seen:
            raise UserError(
                f"{option}: {seen[known]} and {spec.source} have the same name; rename one of them."
            )
        seen[known] = spec.source


def declaration(kind: str, name: str) -> Declaration:
    """What the file of a method or proxy declares, read from its syntax tree.

    Args:
        kind: ``"methods"`` or ``"proxies"``.
        name: a shipped or registered name, or the path of a ``.py`` file.

    Raises:
        UserError: unknown name, or a file whose declarations are not literals.
    """
    found_name, path, source = _locate(kind, name)
    return _read_once(path, path.stat().st_mtime_ns, found_name, source)


@cache
def _read_once(path: Path, changed_ns: int, name: str, source: str) -> Declaration:
    return read_declaration(path, name, source)


def method(name: str, given: Mapping[str, object] | None = None) -> MethodSpec:
    """The method resolved: every field of its Config has a value. Raises UserError."""
    found = declaration("methods", name)
    constants = found.constants
    if "FAMILY" not in constants and "combine" in found.functions:
        raise UserError(f"{found.source}: this is a proxy system; give it with --proxy.")
    for needed, written in _DECLARE.items():
        if needed not in constants:
            raise UserError(
                f"{found.source}: the constant {needed} is missing; declare it, such as {written}."
            )
    if constants["FAMILY"] not in get_args(Family):
        raise UserError(
            f"{found.source}: {unknown('family', str(constants['FAMILY']), get_args(Family))}"
        )
    if constants["USES_GOLD"] not in get_args(GoldUse):
        told = unknown("use of gold", str(constants["USES_GOLD"]), get_args(GoldUse))
        raise UserError(f"{found.source}: {told}")
    _check_inputs(constants, found.source)
    knob = _knob(constants["KNOB"], found.source)
    config = found.resolve(given or {})
    _check_members(constants, config, found.source)
    if constants["FAMILY"] in TRAINING_FAMILIES and knob.name not in config:
        raise UserError(f"{found.source}: {unknown('knob', knob.name, config)}")
    spec = MethodSpec(
        name=found.name,
        family=constants["FAMILY"],
        knob=knob,
        uses_gold=constants["USES_GOLD"],
        source=found.source,
        config=config,
        member_family=constants.get("MEMBER_FAMILY"),
    )
    families: list[Family] = [spec.family, spec.trains]
    for family in dict.fromkeys(families):
        require_functions(found, _FUNCTIONS[family], f"a method of the family {family}")
    for both in _TOGETHER:
        if set(both) & set(found.functions):
            require_functions(found, both, f"a method that defines one of {' and '.join(both)}")
    return spec


def _knob(pieces: Any, source: str) -> Knob:
    """KNOB, or a UserError that shows how it is written."""
    how = f"write {_DECLARE['KNOB']}"
    if not isinstance(pieces, dict) or len(pieces.get("positional", ())) != 1:
        raise UserError(f"{source}: KNOB does not name a knob; {how}.")
    named = {key: value for key, value in pieces.items() if key != "positional"}
    try:
        found = Knob(name=pieces["positional"][0], **named)
    except ValidationError as error:
        raise UserError(f"{explain(error, f'{source}: KNOB', Knob)} Then {how}.") from error
    if not found.low < found.high:
        raise UserError(
            f"{source}: KNOB is searched from low to high, but low = {found.low:g} is not below "
            f"high = {found.high:g}; swap or widen them."
        )
    return found


def _check_members(constants: Mapping[str, Any], config: Mapping[str, Any], source: str) -> None:
    """MEMBER_FAMILY and the number of members belong to the merge family, and to no other."""
    merges = constants["FAMILY"] == "merge"
    declared = constants.get("MEMBER_FAMILY") in TRAINING_FAMILIES
    if merges != declared or (merges and "members" not in config):
        raise UserError(
            f"{source}: a method of the family merge, and no other, declares MEMBER_FAMILY "
            f"({', '.join(TRAINING_FAMILIES)}) and has a field members in its Config."
        )


def _check_inputs(constants: Mapping[str, Any], source: str) -> None:
    """INPUTS, if declared, is a tuple of known names with at most one kind of states."""
    asked = constants.get("INPUTS", ())
    if not isinstance(asked, tuple):
        raise UserError(f'{source}: INPUTS = {asked!r} is not a tuple, such as ("forward_kl",).')
    for name in asked:
        if name not in get_args(MethodInput):
            raise UserError(f"{source}: {unknown('input', str(name), get_args(MethodInput))}")
    if "policy_states" in asked and "reference_states" in asked:
        raise UserError(f"{source}: a module reads policy_states or reference_states, not both.")


def proxy(name: str, given: Mapping[str, object] | None = None) -> ProxySystemSpec:
    """The reward-side system resolved. Raises UserError."""
    found = declaration("proxies", name)
    if "FAMILY" in found.constants:
        raise UserError(f"{found.source}: this is a method; give it with --method.")
    config = found.resolve(given or {})
    members = config.get("members")
    if not isinstance(members, int) or isinstance(members, bool):
        raise UserError(
            f"{found.source}: Config has no field members; declare how many reward models the "
            "system combines, `members: int = param(1, help=..., at_least=1)`."
        )
    if members < 1:
        raise UserError(f"{found.source}: members = {members}; a system combines at least 1.")
    require_functions(found, {"combine": "config, score_MN"}, "a proxy system")
    return ProxySystemSpec(name=found.name, source=found.source, config=config)
