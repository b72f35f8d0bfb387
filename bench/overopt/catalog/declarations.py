"""What the file of a method or proxy declares, read from its syntax tree without running it.

Declarations are literals: upper-case constants, and the fields of ``Config``. The functions that
belong to a family are looked for by name, so that a file that lacks one is refused before a run.
"""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overopt.errors import UserError, one_line

_TYPES: dict[str, type] = {"float": float, "int": int, "bool": bool, "str": str}
_KEYWORDS = {"default", "help", "unit", "above", "at_least", "at_most", "one_of", "later"}
_SHOWN_CHARACTERS = 100
_SEES = ("methods", "proxies", "monitors", "spec", "stats", "errors")
"""Rooms of this package that a plug-in may import: none of them leads to gold."""


@dataclass(frozen=True)
class Parameter:
    """One field of a ``Config``: its type, default (None = required), meaning, unit and bounds.

    one_of: the words that it may be; empty for any.
    later: whether it stands in no specification where it has its default.
    """

    name: str
    type: type
    default: bool | int | float | str | None
    help: str
    unit: str
    above: float | None
    at_least: float | None
    at_most: float | None
    one_of: tuple[str, ...] = ()
    later: bool = False

    def check(self, value: object, where: str) -> bool | int | float | str:
        """The value in this field's type, or a UserError that says what is allowed."""
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.type) or (self.type is int and isinstance(value, bool)):
            raise UserError(
                f"{where}: {self.name} = {value!r} is not {self.allowed()}; {self.help}."
            )
        assert isinstance(value, bool | int | float | str)
        if isinstance(value, str) and self.one_of and value not in self.one_of:
            raise UserError(f"{where}: {unknown(f'value of {self.name}', value, self.one_of)}")
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
        """The type and bounds in words, such as ``float > 0, in nats``, or the words themselves."""
        if self.one_of:
            return ", ".join(self.one_of)
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

    source: dotted name of a shipped or installed module, or the path of the user's own file.
    constants: the upper-case literals of the module.
    functions: every name that the module binds, with the fewest and most positional arguments
        where it is a function of the file itself.
    """

    name: str
    summary: str
    docstring: str
    source: str
    parameters: tuple[Parameter, ...]
    constants: Mapping[str, Any]
    functions: Mapping[str, tuple[int, int] | None]

    def resolve(self, given: Mapping[str, object]) -> dict[str, bool | int | float | str]:
        """Every field's value: the given ones checked, the rest by default.

        Fields that came later are left out where they have their default.

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
            checked = parameter.check(value, self.name)
            if not (parameter.later and checked == parameter.default):
                values[parameter.name] = checked
        return values


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that nothing bears, with the nearest names and all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"Unknown {kind} {name!r}.{hint} Available: {', '.join(names) or 'none'}."


def read_declaration(path: Path, name: str, source: str) -> Declaration:
    """What a file declares.

    Args:
        path: the file.
        name: of the method or proxy.
        source: how it is imported, see ``Declaration``.

    Raises:
        UserError: the file cannot be read, its declarations are not literals, or it imports rooms
            of this package that lead to gold.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes, which are told when it is imported
            tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: not valid Python: {error.msg}.") from error
    except (RecursionError, MemoryError) as error:
        raise UserError(f"{path} cannot be read: an expression is nested too deeply.") from error
    docstring = "\n".join(map(one_line, (ast.get_docstring(tree) or "").splitlines()))
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
    _refuse_leaks(tree, path)
    return Declaration(
        name=name,
        summary=docstring.partition("\n")[0].rstrip("."),
        docstring=docstring,
        source=source,
        parameters=tuple(parameters),
        constants=constants,
        functions=dict(_bound(tree)),
    )


def _refuse_leaks(tree: ast.Module, path: Path) -> None:
    """Refuse imports of rooms in which gold can be had: a method and a proxy see numbers only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in found:
            top, _, rest = module.partition(".")
            if top == "overopt" and rest.partition(".")[0] not in _SEES:
                raise UserError(
                    f"{path}, line {node.lineno}: it imports {module}, but a method, proxy or "
                    "monitor sees numbers only, never gold; of overopt it may import "
                    f"{', '.join(_SEES)}."
                )


def _bound(tree: ast.Module) -> Iterator[tuple[str, tuple[int, int] | None]]:
    """Names that a module binds at its top; of functions, how many arguments they take."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            taken = statement.args
            most = len(taken.posonlyargs) + len(taken.args)
            yield statement.name, (most - len(taken.defaults), 99 if taken.vararg else most)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                yield (alias.asname or alias.name).partition(".")[0], None
        else:
            target, _ = _assignment(statement)
            if target:
                yield target, None


def require_functions(found: Declaration, wanted: Mapping[str, str], why: str) -> None:
    """Refuse a file that lacks a function, or whose function takes other arguments.

    Args:
        found: what the file declares.
        wanted: the arguments of each function, such as ``{"loss": "config, batch"}``.
        why: what asks for them, such as ``a method of the family pairs``.

    Raises:
        UserError: names the function, and the nearest name that the file has.
    """
    for name, arguments in wanted.items():
        if name not in found.functions:
            near = difflib.get_close_matches(name, found.functions, n=1, cutoff=0.5)
            hint = f", not {near[0]}" if near else ""
            raise UserError(
                f"{found.source}: {why} defines {name}({arguments}){hint}; add the function."
            )
        takes = found.functions[name]
        given = len(arguments.split(","))
        if takes is not None and not takes[0] <= given <= takes[1]:
            raise UserError(
                f"{found.source}: {name} is called as {name}({arguments}), but the file's takes "
                f"{takes[1]} arguments; change its arguments."
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
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise UserError(
            f"{path}, line {value.lineno}: declarations hold literals only{_instead_of(value)}; "
            "write the value out."
        ) from None


def _instead_of(value: ast.expr) -> str:
    try:
        return f", not {one_line(ast.unparse(value), _SHOWN_CHARACTERS)!r}"
    except RecursionError:
        return ""


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
    strange = sorted(set(parts) - _KEYWORDS)
    if strange or "help" not in parts or len(positional) > 1:
        raise UserError(
            f"{path}, line {item.lineno}: {name} is written `param(default, help=...)`, with "
            f"unit, above, at_least or at_most where they apply"
            + (f", not {strange[0]}." if strange else "; help is one line that says what it does.")
        )
    _check_parts(parts, f"{path}, line {item.lineno}: {name}")
    default = positional[0] if positional else parts.pop("default", None)
    kind = _TYPES[annotation]
    if kind is float and isinstance(default, int):
        default = float(default)
    return Parameter(
        name=name,
        type=kind,
        default=default,
        help=one_line(parts["help"]),
        unit=one_line(parts.get("unit", "")),
        above=parts.get("above"),
        at_least=parts.get("at_least"),
        at_most=parts.get("at_most"),
        one_of=parts.get("one_of", ()),
        later=_is_later(parts, default, f"{path}, line {item.lineno}: {name}"),
    )


def _is_later(parts: Mapping[str, Any], default: object, where: str) -> bool:
    """Whether a field came later; only a field with a default can have."""
    later = parts.get("later", False)
    if not isinstance(later, bool) or (later and default is None):
        raise UserError(f"{where}: later = {later!r}; it is True or False, with a default.")
    return later


def _check_parts(parts: Mapping[str, Any], where: str) -> None:
    """Bounds are numbers, words are texts."""
    for name in ("above", "at_least", "at_most"):
        bound = parts.get(name)
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int | float)):
            raise UserError(f"{where}: {name} = {bound!r} is no number; write one, such as 0.0.")
    for name in ("help", "unit"):
        if not isinstance(parts.get(name, ""), str):
            raise UserError(f"{where}: {name} = {parts[name]!r} is no text; put it in quotes.")
    words = parts.get("one_of", ())
    if not isinstance(words, tuple) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{where}: one_of = {words!r} is no tuple of words.")
