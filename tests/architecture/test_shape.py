"""How far a reader must follow a definition, and how much lies in one room."""

from __future__ import annotations

from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

from .checkout import PACKAGE, python_files

LONGEST_CHAIN = 9
"""Modules on the longest path of imports, from ``__main__`` on."""
LINES_PER_ROOM, LINES_PER_FILE = 2500, 400
CATALOG = {PACKAGE / "papers", PACKAGE / "proxies", *(PACKAGE / "methods").iterdir()}
"""Rooms of files that know nothing of each other: one is read, not all."""
ROOMS = sorted({path.parent for path in python_files("bench/overopt")})


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """All imports, those inside functions and for types included."""
    return grimp.build_graph("overopt", cache_dir=None)


def test_no_module_imports_itself_over_others(graph: grimp.ImportGraph) -> None:
    imported = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        pytest.fail(f"a cycle: {' > '.join(error.args[1])}")


def test_no_chain_of_imports_is_longer_than_a_reader_follows(graph: grimp.ImportGraph) -> None:
    @cache
    def longest(name: str) -> tuple[str, ...]:
        below = (longest(given) for given in graph.find_modules_directly_imported_by(name))
        return (name, *max(below, key=len, default=()))

    chain = max(map(longest, sorted(graph.modules)), key=len)
    assert len(chain) <= LONGEST_CHAIN, f"{len(chain)}: {' > '.join(chain)}"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(PACKAGE).as_posix())
def test_a_room_is_read_in_an_afternoon(room: Path) -> None:
    lines = {
        path.name: len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files("bench/overopt")
        if path.parent == room
    }
    assert sum(lines.values()) <= LINES_PER_ROOM or room in CATALOG
    assert not [name for name, count in lines.items() if count > LINES_PER_FILE]
