"""The version of a stage's code: a hash that moves when its results could move, and only then.

What counts is read from the ``import`` statements, also those inside functions, and nothing is
imported: the stage's module, all that it imports from this package and what these import in turn;
and, of a module of another package, what it imports from that one. Comments, docstrings and layout
do not count.

What parameters choose among does not count by being there to choose: a stage loads it by name
(``modules.load``) instead of importing it, and the node names the one that was chosen. So an edit
of one choice leaves the artifacts of all others valid. A worker refuses to load by name what the
node does not name.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from overopt.errors import UserError
from overopt.execution.code.modules import PACKAGE, find_module, is_file

LIBRARIES = ("torch", "transformers", "numpy", "pyarrow")
"""Libraries whose version is part of every key, because it can change the bytes of a result."""
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class _Source:
    """One file: the hash of its syntax tree, and the modules of the package that it imports."""

    tree_sha256: str
    imports: tuple[str, ...]


@cache
def code_version(*parts: str) -> str:
    """Version of some code, as 64 hexadecimal digits.

    Args:
        parts: names of modules, or paths of Python files (``modules.is_file``); the
            order does not matter.

    Returns:
        sha256 over the syntax trees, without docstrings, of the parts and of all that they import
        from this package or their own, over ``LIBRARIES``, and over the names of the modules. The
        name of a file given by path does not count, so that a copied file keeps its results.

    Raises:
        UserError: a part does not exist or is not Python.
    """
    files, modules = _closure(parts)
    lines = (*sorted(files), *(f"{name} {modules[name]}" for name in sorted(modules)))
    digest = hashlib.sha256()
    for line in (*lines, *_libraries()):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def covered_modules(*parts: str) -> frozenset[str]:
    """Names of all modules that count in ``code_version(*parts)``."""
    return frozenset(_closure(parts)[1])


def _closure(parts: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Hashes of the syntax trees of all files that are given by path, and of modules by name."""
    files: list[str] = []
    modules: dict[str, str] = {}
    waiting: list[str] = []
    for part in sorted(set(parts)):
        if is_file(part):
            source = _read(Path(part).resolve(), "")
            files.append(source.tree_sha256)
            waiting.extend(source.imports)
        else:
            waiting.append(part)
    while waiting:
        module = waiting.pop()
        if module not in modules:
            source = _read(_locate(module), module)
            modules[module] = source.tree_sha256
            waiting.extend(source.imports)
    return files, modules


@cache
def _libraries() -> tuple[str, ...]:
    return tuple(f"{name}=={library_version(name)}" for name in LIBRARIES)


@cache
def library_version(name: str) -> str:
    """The installed version of a library, read from its metadata; ``absent`` if there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


@cache
def _package_file(module: str) -> Path | None:
    """The file of a module of this package, or None where no such module exists."""
    path = _ROOT.joinpath(*module.split(".")[1:])
    candidates = (path / "__init__.py", path.with_suffix(".py") if path != _ROOT else path)
    return next((c for c in candidates if c.is_file()), None)


@cache
def _locate(module: str) -> Path:
    if module == PACKAGE or module.startswith(f"{PACKAGE}."):
        path = _package_file(module)
    else:
        path = find_module(module)
    if path is None:
        raise UserError(
            f"There is no Python module {module!r} to take a code version of; "
            "give a module's full name or the path of a .py file."
        )
    return path


@cache
def _read(path: Path, module: str) -> _Source:
    """One file; ``module`` is its name, empty for a file outside of any package."""
    try:
        parsed = _parse(path.read_bytes(), module, path.name == "__init__.py")
    except OSError as error:
        raise UserError(f"Cannot read the Python file {path}: {error.strerror}.") from error
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{path} is not valid Python: {error}.") from error
    names = (module, *parsed.imports)
    imports = {found for name in names for found in _with_parents(name, module)} - {module}
    return _Source(parsed.tree_sha256, tuple(sorted(imports)))


@cache
def _parse(text: bytes, module: str, is_package: bool) -> _Source:
    """The hash of a file's syntax tree, and all names that it imports, whatever they name."""
    tree = ast.parse(text)
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _strip_docstrings(node)
        elif isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(node, module, is_package)
            names.append(origin)
            names.extend(f"{origin}.{alias.name}" for alias in node.names)
    dumped = ast.dump(tree, annotate_fields=False)
    return _Source(hashlib.sha256(dumped.encode()).hexdigest(), tuple(names))


def _strip_docstrings(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
    """Drop every bare string: the docstring, and the strings that document an attribute."""
    node.body = [
        statement
        for statement in node.body
        if not (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, str)
        )
    ]


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """The full name that ``from X import`` refers to inside ``module``."""
    if node.level == 0:
        return node.module or ""
    parents = module.split(".")
    kept = len(parents) - node.level + (1 if is_package else 0)
    return ".".join([*parents[: max(kept, 0)], *([node.module] if node.module else [])])


def _with_parents(name: str, importer: str) -> Iterator[str]:
    """The module ``name`` and the packages around it, as far as their code counts.

    It counts in this package, and in the importer's own: what an installed module shares with
    its neighbors moves its results too. The root of this package, a list of public names that no
    stage calls, does not.
    """
    steps = name.split(".")
    first = 1
    if steps[0] == PACKAGE:
        find, first = _package_file, 2
    elif importer and steps[0] == importer.partition(".")[0]:
        find = find_module
    else:
        return
    for length in range(first, len(steps) + 1):
        module = ".".join(steps[:length])
        if find(module) is not None:
            yield module
