"""The guide is followed to the letter: its files are written, its commands run, in its order."""

from __future__ import annotations

import ast
import json
import multiprocessing
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from overopt import __main__ as cli
from overopt.catalog import lookup
from overopt.commands import trial

GUIDE = (lookup.PACKAGE / "GUIDE.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:^`([\w./-]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PACKAGED = ("my_slic.py", "soft_min.py", "small.toml")


class Block(NamedTuple):
    """A fenced block; ``file`` is empty unless the guide names the file that it is."""

    file: str
    language: str
    text: str


BLOCKS = [Block(*found) for found in BLOCK.findall(GUIDE)]
FILES = {block.file: block.text for block in BLOCKS if block.file}
COMMANDS = [
    line for block in BLOCKS if block.language == "sh" for line in block.text.splitlines() if line
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("user")
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    package = root / "my-losses" / "my_losses"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in PACKAGED:
        (package / name).write_text(FILES[name], encoding="utf-8")
    return root


def follow(command: str, folder: Path) -> str:
    """Give one command; what it says.

    Runs without a task of their own would take minutes: they are planned on the small task, and
    the report is of the small run. A package goes to a folder on the path.
    """
    words = shlex.split(command)
    if words[:2] == ["bench", "run"] and "--task" not in words:
        words[1] = "plan"
    if words[1] == "run":
        words += ["--workers", "1"]
    if words[1] == "plan" and "--task" not in words:
        words += ["--task", "./small.toml"]
    words = [word.replace("results/reviews", "results/small") for word in words]
    if words[:4] == ["python", "-m", "pip", "install"]:
        words[4:4] = ["--quiet", "--no-index", "--target", "site"]
    start = {"bench": ["-m", "overopt"], "python": []}[words[0]]
    done = subprocess.run(
        [sys.executable, *start, *words[1:]],
        cwd=folder,
        env={
            **os.environ,
            "OVEROPT_STORE": str(folder / "store"),
            "PYTHONPATH": os.pathsep.join([str(folder / "site"), *sys.path]),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "160",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_command_works_in_order(folder: Path) -> None:
    said = {command: follow(command, folder) for command in COMMANDS}
    assert len(said) >= 9
    assert "slic-of-mine" in said["bench list methods"]
    assert "my-losses 0.1" in said["bench list methods"]
    assert "soft-min" in said["bench list proxies"]
    (run,) = (folder / "results" / "small" / "my_slic").iterdir()
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "ok"
    assert set(record["own_files"]) == {"my_slic.py", "soft_min.py"}
    assert record["arguments"][:4] == ["bench", "run", "--method", "./my_slic.py"]
    named = re.findall(r"^\| `([\w.]+)` \|", GUIDE, re.MULTILINE)
    others = {"worlds.csv", "component_points.csv", "angles.csv"}
    """Of several worlds, of a reward of components, of merged policies."""
    assert set(named) - others == {path.name for path in run.iterdir()}
    for key in ("standard", "dirty", "arguments", "own_files", "packages"):
        assert key in record and f"`{key}`" in GUIDE.replace('"standard": false', "standard")


def test_lines_are_counted_right() -> None:
    counted = re.search(
        r"(\d+) lines for the method \((\d+) of them code\) and (\d+) for its test \((\d+)", GUIDE
    )
    assert counted is not None
    sizes = [size for name in ("my_slic.py", "test_my_slic.py") for size in lines(FILES[name])]
    assert [int(number) for number in counted.groups()] == sizes


def lines(text: str) -> tuple[int, int]:
    """All lines of a file, and those of code: no docstrings, comments or blank lines."""
    told: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0]
            if ast.get_docstring(node) is not None and first.end_lineno is not None:
                told |= set(range(first.lineno, first.end_lineno + 1))
    every = text.splitlines()
    code = [
        line
        for number, line in enumerate(every, start=1)
        if line.strip() and not line.strip().startswith("#") and number not in told
    ]
    return len(every), len(code)


SLIC, SOFT_MIN = FILES["my_slic.py"], FILES["soft_min.py"]
MISTAKES = {
    "no `FAMILY`, `KNOB` or `USES_GOLD`": SLIC.replace('FAMILY = "pairs"\n', ""),
    "a function of another name": SLIC.replace("def loss(", "def losses("),
    "a loss that is averaged over pairs": SLIC.replace("chosen_B\n", "chosen_B.mean()\n").replace(
        "rank_B -", "rank_B.mean() -"
    ),
    "NaN": SLIC.replace("return rank_B", "return chosen_B.log()"),
    "`.detach()`, `.item()` or numpy on the way": SLIC.replace(".sum(-1)", ".sum(-1).detach()"),
    "looking at gold": SLIC.replace(
        "from overopt.spec", "from overopt.worlds.contract import build\nfrom overopt.spec"
    ),
}


class InThisProcess:
    """Stands in for the process of a trial: what it should run is run when it is started."""

    def __init__(self, target: Callable[..., None], args: tuple[object, ...], daemon: bool) -> None:
        self._run: Callable[[], None] = partial(target, *args)

    def start(self) -> None:
        """Run it to its end."""
        self._run()

    def kill(self) -> None:
        """It has ended."""

    def join(self) -> None:
        """It has ended."""


def told_for(mistake: str) -> str:
    """What the guide says that is told."""
    (told,) = re.findall(rf"^\| {re.escape(mistake)} \| (.*) \|$", GUIDE, re.MULTILINE)
    assert isinstance(told, str)
    return told


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_told_as_the_guide_says(
    mistake: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert MISTAKES[mistake] != SLIC
    (tmp_path / "my_slic.py").write_text(MISTAKES[mistake], encoding="utf-8")
    (tmp_path / "small.toml").write_text(FILES["small.toml"], encoding="utf-8")
    context = SimpleNamespace(Pipe=multiprocessing.Pipe, Process=InThisProcess)
    monkeypatch.setattr(trial, "spawning", lambda: context)
    monkeypatch.setattr(trial, "enter_alone", lambda driver_pid: None)
    said = refused("--method ./my_slic.py --task ./small.toml", tmp_path, monkeypatch, capsys)
    assert told_for(mistake) in said
    assert "overopt_own" not in said


def test_mistakes_of_two_files_are_told_as_the_guide_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    for name in ("my_slic.py", "there/my_slic.py"):
        (tmp_path / name).write_text(SLIC, encoding="utf-8")
    said = refused("--method dpo --proxy ./my_slic.py", tmp_path, monkeypatch, capsys)
    assert told_for("a method given as a proxy") in said
    words = "--method ./my_slic.py there/my_slic.py"
    assert told_for("two files of one name") in refused(words, tmp_path, monkeypatch, capsys)


def refused(
    words: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """The one sentence that ``bench run`` refuses with."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OVEROPT_STORE", str(folder / "store"))
    monkeypatch.setattr(sys, "argv", ["bench", "run", *words.split()])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    assert not (folder / "store").exists(), "something has run"
    return said
