"""``overopt.run`` asks for what ``bench run`` asks for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import overopt
from overopt.commands import run as command
from overopt.commands.arguments import resolve, spread
from overopt.commands.from_python import as_typed
from overopt.commands.request import Request
from overopt.run.driver import RunOutcome

run = cast("Callable[..., list[Path]]", overopt.run)
"""The function; for a type checker it may be the package of that name."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What reaches the run."""
    seen: list[Any] = []

    def make_runs(*given: Any) -> RunOutcome:
        seen.extend(given)
        return RunOutcome([Path("results/tabular/dpo/step-1")], [])

    monkeypatch.setattr(command, "make_runs", make_runs)
    return seen


def test_keywords_are_the_options(asked: list[Any], tmp_path: Path) -> None:
    folders = run(
        "dpo",
        proxy=["single", "uwo"],
        task="tabular",
        settings={"dpo.beta": 0.2, "pairs.max_steps": 100},
        seed=np.arange(2),
        noise=[0, 0.25],
        kl_grid=[0.5, 1],
        out=tmp_path,
        store=str(tmp_path / "store"),
        workers=1,
    )
    assert folders == [Path("results/tabular/dpo/step-1")]
    specs, store, out, workers, quiet, words = asked
    typed = Request(
        method=["dpo"],
        proxy=["single", "uwo"],
        task="tabular",
        settings=["dpo.beta=0.2", "pairs.max_steps=100"],
        seed=[0, 1],
        noise=["0", "0.25"],
        kl_grid=["0.5", "1"],
    )
    assert specs == [resolve(typed)]
    assert (store, out, workers, quiet) == (tmp_path / "store", tmp_path, 1, False)
    assert words == as_typed(typed)


def test_the_recorded_command_asks_for_the_same(asked: list[Any], tmp_path: Path) -> None:
    from typer.core import TyperGroup
    from typer.main import get_command

    from overopt import __main__ as cli

    run(["bon", "dpo"], task="tabular", seeds=2, noise=0.25, out=tmp_path)
    spec, words = asked[0][0], asked[-1]
    line = "bench run --method bon dpo --task tabular --seeds 2 --noise 0.25"
    assert " ".join(words) == line
    known = get_command(cli.app)
    assert isinstance(known, TyperGroup)
    context = known.commands["run"].make_context("run", spread(words[2:]))
    shared = {name: context.params[name] for name in Request.__dataclass_fields__}
    assert resolve(Request(**shared)) == spec


def test_mistakes_are_the_commands(tmp_path: Path) -> None:
    with pytest.raises(overopt.UserError, match=r"Unknown method 'dop'\. Did you mean dpo"):
        run("dop", out=tmp_path)


def test_it_stays_callable_whatever_is_imported_first() -> None:
    """``overopt.run`` is a package as well, which imports put where the function was."""
    program = (
        "import overopt\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        overopt.run('dop')\n"
        "    except overopt.UserError as error:\n"
        "        print(error)\n"
        "    import overopt.run.cells\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.count("Unknown method 'dop'") == 2, done.stderr
