"""Finds tasks, golds, methods and proxies by name, without importing torch or running their code.

Tasks and golds are TOML declarations (file stem = name). Methods and proxies are Python files
whose declarations are literals; they are read from the syntax tree, so that listing, planning and
checking a run stay fast and execute nothing.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from overopt.errors import UserError
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
_TYPES: dict[str, type] = {"float": float, "int": int, "bool": bool, "str": str}


@dataclass(frozen=True)
class Parameter:
    """One field of a ``Config``: its type, default (None = required), meaning, unit and bounds."""

    name: str
    type: type
    default: bool | int | float | str | None
    help: str
    unit: str
    above: float | None
    at_least: float | None
    at_most: float | None

    def check(self, value: object, where: str) -> bool | int | float | str:
        """The value in this field's type, or a UserError that says what is allowed."""
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.type) or (self.type is int and isinstance(value, bool)):
            raise UserError(
                f"{where}: {self.name} = {value!r} is not {self.allowed()}; {self.help}."
            )
        assert isinstance(value, bool | int | float | str)
        if isinstance(value, int | float) and not isinstance(value, bool):
            inside = (
                (self.above is None or value > self.above)
                and (self.at_least is None or value >= self.at_least)
                and (self.at_most is None or value <= self.at_most)
                and abs(value) != float("inf")
                and value == value
            )
            if not inside:
                raise UserError(
                    f"{where}: {self.name} = {value!r} is out of bounds, it must be "
                    f"{self.allowed()}; {self.help}."
                )
        return value

    def allowed(self) -> str:
        """The type and bounds in words, such as ``float > 0, in nats``."""
        bounds = [
            f"{sign} {bound:g}"
            for sign, bound in ((">", self.above), (">=", self.at_least), ("<=", self.at_most))
            if bound is not None
        ]
        words = " ".join([self.type.__name__, " and ".join(bounds)]).strip()
        return f"{words}, in {self.unit}" if self.unit else words


@dataclass(frozen=True)
class Declaration:
    """A method or proxy as its file declares it.

    source: dotted module name of a shipped file, or the path of the user's own.
    constants: the upper-case literals of the module.
    """

    name: str
    summary: str
    docstring: str
    source: str
    parameters: tuple[Parameter, ...]
    constants: Mapping[str, Any]

    def resolve(self, given: Mapping[str, object]) -> dict[str, bool | int | float | str]:
        """Every field's value: the given ones checked, the rest by default.

        Raises:
            UserError: for an unknown field, a value of the wrong type or out of bounds.
        """
        by_name = {parameter.name: parameter for parameter in self.parameters}
        for key in given:
            if key not in by_name:
                raise UserError(unknown(f"setting of {self.name}", key, by_name))
        values: dict[str, bool | int | float | str] = {}
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            if value is None:
                raise UserError(
                    f"{self.name}: {parameter.name} has no default; give it with "
                    f"--set {self.name}.{parameter.name}=VALUE ({parameter.allowed()})."
                )
            values[parameter.name] = parameter.check(value, self.name)
        return values


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that nothing bears, with the nearest names and all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"Unknown {kind} {name!r}.{hint} Available: {', '.join(names) or 'none'}."


def data_folder(kind: str) -> Path:
    """Folder of the shipped ``tasks`` or ``gold`` declarations: in the wheel, or the checkout."""
    packaged = PACKAGE / "_data" / kind
    return packaged if packaged.is_dir() else PACKAGE.parent.parent / kind


def names(kind: str) -> list[str]:
    """Names of all shipped ``methods``, ``proxies``, ``tasks`` or ``gold``, sorted."""
    if kind in ("tasks", "gold"):
        return sorted(path.stem for path in data_folder(kind).glob("*.toml"))
    return sorted(
        canonical(path.stem)
        for path in (PACKAGE / kind).glob("*.py")
        if path.stem not in _NOT_DECLARATIONS
    )


def canonical(name: str) -> str:
    """The name that people read: words joined by dashes, where a file's stem has underscores."""
    return name.replace("_", "-")


def read_toml(kind: str, name: str) -> tuple[Path, dict[str, Any]]:
    """Path and content of a shipped declaration, or of the user's own .toml file."""
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise UserError(f"There is no file {name}; give the path of a TOML file that exists.")
    else:
        if name not in names(kind):
            raise UserError(
                unknown(kind.removesuffix("s"), name, names(kind))
                + " A path that ends in .toml is read as your own."
            )
        path = data_folder(kind) / f"{name}.toml"
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


def explain(error: ValidationError, where: str, model: type[BaseModel]) -> str:
    """One sentence for the first thing that a specification got wrong, with a suggestion."""
    first = _most_telling(error)
    location = [str(part) for part in first["loc"]]
    key = ".".join(location)
    if first["type"] == "extra_forbidden":
        holder = _fields_at(model, location[:-1])
        near = difflib.get_close_matches(location[-1], holder, n=1, cutoff=0.5)
        hint = f"; did you mean {'.'.join([*location[:-1], near[0]])!r}?" if near else "."
        return f"{where}: unknown key {key!r}{hint} Allowed here: {', '.join(holder)}."
    if first["type"] == "missing":
        return f"{where}: the key {key!r} is missing; add it."
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    shown = "" if isinstance(first["input"], dict | BaseModel) else f" = {first['input']!r}"
    return f"{where}: {key}{shown}: {message}." if key else f"{where}: {message}."


def _most_telling(error: ValidationError) -> ErrorDetails:
    """The first unknown key, because a misspelt key is also a missing one; else the first error."""
    details = error.errors()
    return next((one for one in details if one["type"] == "extra_forbidden"), details[0])


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    current: type[BaseModel] = model
    for part in path:
        found = current.model_fields.get(part)
        options = [found.annotation, *get_args(found.annotation)] if found else []
        inner = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
        if not inner:
            return []
        current = inner[0]
    return sorted(current.model_fields)


def load_task(name: str, overrides: Mapping[str, object] | None = None) -> TaskSpec:
    """The task by name or path of a TOML file, with dotted overrides applied.

    Args:
        name: name of a shipped task, or a path ending in ``.toml``.
        overrides: for instance ``{"proxy.architecture.width": 16}``.

    Raises:
        UserError: unknown name, unreadable file, unknown or missing key, value out of bounds.
    """
    path, data = read_toml("tasks", name)
    data.setdefault("name", path.stem)
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
        wrong = [str(part) for part in _most_telling(error)["loc"]]
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


def _locate(kind: str, name: str) -> tuple[str, Path]:
    """Name and path of a shipped file, or of the user's own when the name ends in .py."""
    if name.endswith(".py"):
        path = Path(name).resolve()
        if not path.is_file():
            raise UserError(f"{kind}: there is no file {name}; give the path of a Python file.")
        return path.stem, path
    name = canonical(name)
    if name not in names(kind):
        singular = {"methods": "method", "proxies": "proxy"}[kind]
        raise UserError(unknown(singular, name, names(kind)))
    return name, PACKAGE / kind / f"{name.replace('-', '_')}.py"


@cache
def declaration(kind: str, name: str) -> Declaration:
    """What the file of a method or proxy declares, read from its syntax tree.

    Args:
        kind: ``"methods"`` or ``"proxies"``.
        name: a shipped name, or the path of a ``.py`` file.

    Raises:
        UserError: unknown name, or a file whose declarations are not literals.
    """
    found_name, path = _locate(kind, name)
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: not valid Python: {error.msg}.") from error
    shipped = path.parent == PACKAGE / kind
    docstring = ast.get_docstring(tree) or ""
    constants: dict[str, Any] = {}
    parameters: list[Parameter] | None = None
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef) and statement.name == "Config":
            parameters = [
                _parameter(item, path)
                for item in statement.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            ]
        target, value = _assignment(statement)
        if target.isupper() and value is not None:
            constants[target] = _literal(value, path)
    if parameters is None:
        raise UserError(
            f"{path}: it has no class Config; declare one, a frozen dataclass of settings."
        )
    return Declaration(
        name=found_name,
        summary=docstring.partition("\n")[0].rstrip("."),
        docstring=docstring,
        source=f"overopt.{kind}.{path.stem}" if shipped else str(path),
        parameters=tuple(parameters),
        constants=constants,
    )


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, statement.value
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    return "", None


def _literal(value: ast.expr, path: Path) -> Any:
    """A literal, or the keywords of a declaring call such as ``knob("n", low=1, ...)``."""
    try:
        if isinstance(value, ast.Call):
            keywords = {k.arg: ast.literal_eval(k.value) for k in value.keywords if k.arg}
            positional = [ast.literal_eval(argument) for argument in value.args]
            return {"positional": positional, **keywords}
        return ast.literal_eval(value)
    except ValueError:
        raise UserError(
            f"{path}, line {value.lineno}: declarations hold literals only, not "
            f"{ast.unparse(value)!r}; write the value out."
        ) from None


def _parameter(item: ast.AnnAssign, path: Path) -> Parameter:
    assert isinstance(item.target, ast.Name)
    name, annotation = item.target.id, ast.unparse(item.annotation)
    call = item.value
    is_param = isinstance(call, ast.Call) and ast.unparse(call.func).endswith("param")
    if annotation not in _TYPES or call is None or not is_param:
        raise UserError(
            f"{path}, line {item.lineno}: a Config field is written "
            f"`{name}: float = param(default, help=...)` with type float, int, bool or str."
        )
    parts = _literal(call, path)
    positional = parts.pop("positional")
    default = positional[0] if positional else parts.pop("default", None)
    kind = _TYPES[annotation]
    if kind is float and isinstance(default, int):
        default = float(default)
    return Parameter(
        name=name,
        type=kind,
        default=default,
        help=parts.get("help", ""),
        unit=parts.get("unit", ""),
        above=parts.get("above"),
        at_least=parts.get("at_least"),
        at_most=parts.get("at_most"),
    )


def method(name: str, given: Mapping[str, object] | None = None) -> MethodSpec:
    """The method resolved: every field of its Config has a value. Raises UserError."""
    found = declaration("methods", name)
    constants = found.constants
    for needed in ("FAMILY", "KNOB", "USES_GOLD"):
        if needed not in constants:
            raise UserError(f"{found.source}: the constant {needed} is missing; declare it.")
    if constants["FAMILY"] not in get_args(Family):
        raise UserError(unknown("family", str(constants["FAMILY"]), get_args(Family)))
    if constants["USES_GOLD"] not in get_args(GoldUse):
        raise UserError(unknown("use of gold", str(constants["USES_GOLD"]), get_args(GoldUse)))
    _check_inputs(constants, found.source)
    config = found.resolve(given or {})
    _check_members(constants, config, found.source)
    pieces = dict(constants["KNOB"])
    positional = pieces.pop("positional")
    if constants["FAMILY"] in TRAINING_FAMILIES and positional[0] not in config:
        raise UserError(f"{found.source}: {unknown('knob', positional[0], config)}")
    return MethodSpec(
        name=found.name,
        family=constants["FAMILY"],
        knob=Knob(name=positional[0], **pieces),
        uses_gold=constants["USES_GOLD"],
        source=found.source,
        config=config,
        member_family=constants.get("MEMBER_FAMILY"),
    )


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
            raise UserError(unknown("input", str(name), get_args(MethodInput)))
    if "policy_states" in asked and "reference_states" in asked:
        raise UserError(f"{source}: a module reads policy_states or reference_states, not both.")


def proxy(name: str, given: Mapping[str, object] | None = None) -> ProxySystemSpec:
    """The reward-side system resolved. Raises UserError."""
    found = declaration("proxies", name)
    config = found.resolve(given or {})
    if not isinstance(config.get("members"), int):
        raise UserError(
            f"{found.source}: Config has no field members; declare how many reward models the "
            "system combines, `members: int = param(1, help=...)`."
        )
    return ProxySystemSpec(name=found.name, source=found.source, config=config)


def load_module(source: str) -> ModuleType:
    """Import a method or proxy from its dotted name or file; this runs its code."""
    if not source.endswith(".py"):
        return importlib.import_module(source)
    path = Path(source)
    name = f"overopt_own_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} cannot be imported; give the path of a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
