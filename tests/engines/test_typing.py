"""Engines and stages handle opened methods: what one may leave out is looked up in one place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from overopt import engines, stages

UNTYPED = re.compile(r"\bhasattr\(|(?<!def __)\bgetattr\(|\bconfig: Any|\bmodule: Any|: ModuleType")
OPENING = "method"
"""The folder of the engines in which a method's optional names are resolved."""
ADAPTED = "weights.py"
"""Stands for a policy with its adapters off, whose attributes are all the policy's."""


def sources() -> list[Path]:
    folders = [Path(str(package.__file__)).parent for package in (engines, stages)]
    found = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    assert len(found) > 40
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_method_is_asked_what_it_has(path: Path) -> None:
    if path.parent.name == OPENING or (path.parent.name, path.name) == ("trl", ADAPTED):
        return
    found = UNTYPED.findall(path.read_text(encoding="utf-8"))
    assert not found, f"{path.name}: {found}; open the method, or name it in the contract"
