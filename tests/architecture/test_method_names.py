"""Engines, stages and the runner know families; only its own file names a method."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from overopt.catalog import lookup
from overopt.execution.code.version import _strip_docstrings

NAMES = {name.replace("-", "_") for name in lookup.names("methods")}
FILES = sorted(
    path
    for folder in ("engines", "models", "stages", "artifacts", "run", "execution")
    for path in (lookup.PACKAGE / folder).rglob("*.py")
)


def words(path: Path) -> set[str]:
    """Identifiers, module names and whole strings of a file, docstrings left out."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            _strip_docstrings(node)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found |= set((node.module or "").split(".")) | {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return {word.replace("-", "_") for word in found}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_method_is_named(path: Path) -> None:
    assert not words(path) & NAMES
