"""Own files, declarations, command lines and results folders, spoiled at random.

Some hundreds of each are tried; ``FUZZ_TIMES=1000`` in the environment tries a thousand times that.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from overopt import __main__ as cli
from overopt.catalog import lookup, systems, toml_files
from overopt.errors import LONGEST_LINE, UserError
from overopt.report.groups import group_results
from overopt.report.stored.reading import read_results
from report.synthetic import write_runs

from . import spoiling

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
RESULTS = 60
WORDS = (
    "--method", "-m", "--proxy", "--task", "--noise", "--kl-grid", "--seeds", "--seed", "--worlds",
    "--world", "--set", "--along", "--engine", "--gold", "dpo", "bon", "rloo", "uwo", "tabular",
    "reviews", "arithmetic", "0", "-1", "1e999", "nan", "0.25", "bt:1", "a=b", "dpo.beta=0", "x",
    "", "[/red]", "\x1b", "../x", "all", "family:pairs", "family:x", "9" * 400, "world.seed=-1",
    "pairs.max_steps=1", "٣", "1_0", "mean.members=2", "--json", "trl", "knob", "rule", "prm",
)  # fmt: skip
READING = ("list", "show", "cite", "compare", "report", "scores", "measure", "nothing")


def refused(case: Callable[[], object]) -> bool:
    """Whether a case is refused in one sentence that a terminal can show; nothing else is raised.

    A sentence may gain an escape for each of its characters, and no more.
    """
    try:
        case()
    except UserError as error:
        assert str(error).isprintable() and 10 < len(str(error)) < 12 * LONGEST_LINE
        return True
    return False


@pytest.mark.parametrize("kind", ["methods", "proxies"])
def test_own_files(kind: str, tmp_path: Path) -> None:
    rng, texts = random.Random(0), [path.read_text() for path in lookup.files(kind).values()]
    read = systems.method if kind == "methods" else systems.proxy
    count = 0
    for number in range(200 * TIMES):
        path = tmp_path / f"mine_{number}.py"
        spoiled = spoiling.spoil_code(rng.choice(texts), rng)
        path.write_text(spoiled, encoding="utf-8", errors="surrogatepass")
        count += refused(partial(read, str(path)))
        path.unlink()
    assert 40 * TIMES < count < 200 * TIMES


@pytest.mark.parametrize("kind", ["tasks", "gold"])
def test_declarations(kind: str, tmp_path: Path) -> None:
    rng, folder = random.Random(1), lookup.data_folder(kind)
    texts = [(folder / f"{name}.toml").read_text() for name in lookup.shipped(kind)]
    read = toml_files.load_task if kind == "tasks" else toml_files.load_gold
    path = tmp_path / "mine.toml"
    count = 0
    for _ in range(200 * TIMES):
        path.write_text(spoiling.spoil_toml(rng.choice(texts), rng), encoding="utf-8")
        count += refused(lambda: read(str(path)))
    assert 100 * TIMES < count < 200 * TIMES


def test_command_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but an exit code comes out, and a mistake is one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVEROPT_STORE", str(tmp_path / "store"))
    rng = random.Random(2)
    for _ in range(150 * TIMES):
        words = [rng.choice(READING), *rng.choices(WORDS, k=rng.randint(0, 3))]
        if rng.random() < 0.7:
            words = ["plan", *rng.choices(WORDS, k=rng.randint(1, 7)), "--task", "tabular"]
        monkeypatch.setattr(sys, "argv", ["bench", *words])
        told, printed = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stderr(told),
            contextlib.redirect_stdout(printed),
            pytest.raises(SystemExit) as stop,
        ):
            cli.main()
        assert stop.value.code in (0, 2), f"{words}: {told.getvalue()}"
        if stop.value.code == 2:
            assert told.getvalue().startswith("error: "), f"{words}: {told.getvalue()}"
            assert told.getvalue().count("\n") == 1, f"{words}: {told.getvalue()}"


def test_results_folders(tmp_path: Path) -> None:
    rng = random.Random(3)
    good = write_runs(tmp_path / "good")[0]
    names = sorted(path.name for path in good.iterdir())
    folder = tmp_path / "results" / "task" / "method" / good.name
    count = 0
    for _ in range(RESULTS * TIMES):
        shutil.copytree(good, folder)
        path = folder / rng.choice(names)
        if path.suffix == ".json" and rng.random() < 0.7:
            path.write_text(json.dumps(spoiling.spoil(json.loads(path.read_text()), rng)))
        elif path.suffix == ".csv" and rng.random() < 0.7:
            path.write_text(spoiling.spoil_csv(path.read_text(), rng))
        else:
            path.write_bytes(spoiling.spoil_bytes(path.read_bytes(), rng))
        count += refused(lambda: group_results(read_results([tmp_path / "results"])))
        shutil.rmtree(folder)
    assert RESULTS * TIMES // 4 < count < RESULTS * TIMES
