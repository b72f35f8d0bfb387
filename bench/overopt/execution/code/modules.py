"""Code that is named at run time: where it lies, found without importing it; and importing it.

Code is named by a dotted module name, or by the path of a user's own file, which ends in ``.py``.
What parameters choose among is loaded by name and not imported, so that
a stage's key holds what was chosen and nothing else. A stage loads by name only what its node
names (``Node.extra_code``).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

PACKAGE = "overopt"
OWN = "overopt_own"
"""The package that modules of users' own files are put in."""
_named: frozenset[str] | None = None
"""What the node that is being built names; None while no node is."""


def is_file(source: str) -> bool:
    """Whether code is named by a path, and not by the name of an installed module."""
    return source.endswith(".py")


@cache
def find_module(module: str) -> Path | None:
    """The file of an installed module, or None where there is no such Python file.

    Only the top-level package is looked up by the import system, which runs nothing; the rest are
    folders and files below it.
    """
    top, *below = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not below:
        file = Path(spec.origin) if spec.origin and spec.has_location else None
        return file if file is not None and file.suffix == ".py" else None
    for place in spec.submodule_search_locations or ():
        stem = Path(place).joinpath(*below)
        for candidate in (stem / "__init__.py", stem.parent / f"{stem.name}.py"):
            if candidate.is_file():
                return candidate
    return None


def module_in(room: str, name: str) -> str:
    """The full name of one of several modules that parameters choose among.

    Args:
        room: the folder that they lie in, such as ``artifacts.golds``.
        name: the one that is chosen, such as ``rule``.
    """
    return f"{PACKAGE}.{room}.{name}"


def load(room: str, name: str) -> ModuleType:
    """Import one of several modules that parameters choose among; see ``module_in``."""
    return load_module(module_in(room, name))


@contextmanager
def only(sources: Iterable[str]) -> Iterator[None]:
    """Refuse, inside the block, to load anything by name but these modules and files."""
    global _named
    before, _named = _named, frozenset(sources)
    try:
        yield
    finally:
        _named = before


@contextmanager
def anything() -> Iterator[None]:
    """Lift ``only`` while a user's own file runs, whose key is its digest, whatever it imports."""
    global _named
    before, _named = _named, None
    try:
        yield
    finally:
        _named = before


def load_module(source: str) -> ModuleType:
    """Import a module from its dotted name or file; this runs its code.

    The module of a file is named after it, as an installed one is.

    Raises:
        RuntimeError: a node is being built that does not name it, so that its key would stay where
            it is when this code changes.
    """
    if _named is not None and source not in _named:
        raise RuntimeError(f"{source} is loaded by name, but its node does not name it")
    if not is_file(source):
        return importlib.import_module(source)
    path = Path(source)
    package = sys.modules.setdefault(OWN, ModuleType(OWN, "Modules of users' own files."))
    package.__path__ = []
    name = f"{OWN}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a path that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
