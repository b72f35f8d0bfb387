"""``bench`` in the process of the tests, whose stages run there as well."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Self

import pytest

from end_to_end.command import Place
from overopt import __main__ as cli
from overopt.execution import worker
from overopt.execution.artifact import read_manifest
from overopt.execution.executors.local import InlineExecutor
from overopt.run import driver

MAIN = ("--method", "bon", "dpo", "--seeds", "1")
"""Two cells, and all of ``STAGES``."""

STAGES = (
    "initial", "gold", "pairs", "labels", "proxy", "pool", "score", "listing", "front", "select",
    "optimize", "evaluate", "measure", "rankings",
)  # fmt: skip
"""Kinds of stage, inputs first."""


class Ended(NamedTuple):
    """How a command ended: its exit code, and what it printed to both streams."""

    code: int | str | None
    printed: str
    told: str

    @property
    def decent(self) -> bool:
        """Whether it ended as promised: done, a failure that is told, or a mistake in one line."""
        lines = self.told.splitlines()
        mistakes = sum(line.startswith("error: ") for line in lines)
        return (
            self.code in (0, 1, 2)
            and "bench itself failed" not in self.told
            and "Traceback" not in self.told + self.printed
            and mistakes == (self.code == 2)
            and (self.code != 1 or any(line.startswith("failed ") for line in lines))
        )


class _Here(InlineExecutor):
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


@contextmanager
def stages_here() -> Iterator[None]:
    """Let stages run in this process; each command begins as a fresh process would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "Local", lambda workers: lambda store, tell: _Here(store))
        yield


def bench(*words: str) -> Ended:
    """Run a command to its end."""
    printed, told = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(told),
        pytest.raises(SystemExit) as stop,
    ):
        patch.setattr(sys, "argv", ["bench", *words])
        cli.main()
    return Ended(stop.value.code, printed.getvalue(), told.getvalue())


def run(place: Place, words: tuple[str, ...] = MAIN) -> Ended:
    """``bench run`` of the tiny task in a place; locks that a process holds for life are freed."""
    with pytest.MonkeyPatch.context() as patch, stages_here():
        patch.chdir(place.root)
        try:
            return bench(*place.words("--workers", "1", *words)[3:])
        finally:
            worker._store(str(place.store)).close()
            worker._store.cache_clear()


def check(place: Place, whole: Place, *, all_there: bool = True) -> None:
    """Results and store hold what those of a whole run hold; or a part of it, as far as needed."""
    ours, wanted = place.files(), whole.files()
    assert {name: ours[name] for name in wanted} == wanted
    ours_by_key, wanted_by_key = place.digests(), whole.digests()
    assert ours_by_key.items() <= wanted_by_key.items()
    assert ours_by_key == wanted_by_key or not all_there
    left = sorted(path.name for path in (place.store / "tmp").glob("*-*"))
    assert left == [], left


def without(whole: Place, place: Place, stage: str) -> None:
    """A copy of a finished run without its results, a stage, and all that was made from it."""
    shutil.copytree(whole.root, place.root)
    shutil.rmtree(place.out)
    gone = {folder.name for folder in place.stages(stage)}
    manifests = [read_manifest(folder) for folder in place.store.glob("??/*")]
    while more := {
        one.key
        for one in manifests
        if one.key not in gone and any(given.key in gone for given in one.inputs.values())
    }:
        gone |= more
    for key in gone:
        shutil.rmtree(place.store / key[:2] / key)
