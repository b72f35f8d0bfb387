"""House rules that a reader relies on, and that no other tool checks."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from .checkout import PACKAGE, ROOT, python_files

VAGUE = {"util", "utils", "common", "base", "helper", "helpers", "manager", "misc"}
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|NotImplemented" r"Error)\b")
MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:home|root|Users|work|tmp|mnt)/\w")
ISSUE_NUMBER = re.compile(
    r"\b(?:issue|ticket|pull request|PR) ?#?\d+|(?<![\w&])#\d{1,5}\b(?!\w)", re.I
)
TEXTS = sorted(
    path
    for pattern in (
        "*.md",
        "*.toml",
        "*.cff",
        "Makefile",
        ".ci/run",
        "tasks/*",
        "gold/*",
        "notebooks/*",
    )
    for path in ROOT.glob(pattern)
    if path.is_file()
)
MODULES = python_files("bench/overopt")
BASE_MODELS = PACKAGE / "models" / "starts" / "base.py"
"""Models that start from a base model: the name of their table in a task, loaded by that name."""
NOTES = sorted(PACKAGE.rglob("*.md"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_module_says_what_it_is_for_and_has_a_telling_name(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{relative(path)} has no docstring"
    words = set(path.stem.split("_")) - ({"base"} if path == BASE_MODELS else set())
    assert not words & VAGUE, f"{relative(path)} says nothing by its name"


SEEDS_GLOBALLY = re.compile(
    r"(?:torch\.(?:random\.)?manual_seed|torch\.cuda\.manual_seed(?:_all)?"
    r"|(?:np|numpy)\.random\.seed|random\.seed|(?:transformers\.)?set_seed)"
)


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_nothing_seeds_globally(path: Path) -> None:
    """Seeding is fine inside ``torch.random.fork_rng``, which puts the state back."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    forked = {
        call
        for block in ast.walk(tree)
        if isinstance(block, ast.With) and "fork_rng" in ast.unparse(block.items[0])
        for call in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node not in forked:
            called = ast.unparse(node.func)
            where = f"{relative(path)}, line {node.lineno}"
            assert not SEEDS_GLOBALLY.fullmatch(called), f"{where}: randomness is passed in"


@pytest.mark.parametrize("path", [*MODULES, *python_files("tests"), *TEXTS, *NOTES], ids=relative)
def test_project_is_finished_and_speaks_of_itself_only(path: Path) -> None:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        where = f"{relative(path)}, line {number}"
        assert not UNFINISHED.search(line), f"{where}: something is left undone"
        assert not MACHINE_PATH.search(line), f"{where}: a path of one machine"
        assert not ISSUE_NUMBER.search(line), f"{where}: a number that means nothing here"


def test_top_level_has_its_fixed_names() -> None:
    fixed = {
        "bench",
        "tasks",
        "gold",
        "results",
        "notebooks",
        "tests",
        "pyproject.toml",
        "README.md",
    }
    locks = {"requirements.lock", "requirements-cuda.lock"}
    also = {"LICENSE", "LEADERBOARD.md", "CHANGELOG.md", "CITATION.cff", "Makefile", *locks}
    unasked = {"report", "build", "dist", "store", "shared"}  # made by commands, never committed
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert fixed - {"results", "notebooks"} <= names
    assert names <= fixed | also | unasked, "a new name at the top"
