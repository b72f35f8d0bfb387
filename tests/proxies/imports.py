"""What a source file imports, read from its syntax tree."""

from __future__ import annotations

import ast
from pathlib import Path


def of(path: Path) -> set[str]:
    """Names of the modules that a file imports, wherever in it."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    found = {node.module or "" for node in ast.walk(module) if isinstance(node, ast.ImportFrom)}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found
