"""A whole run in which the stages are replaced by outcomes of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.errors import UserError
from overopt.execution.outcomes import Failure, RoutineResult
from overopt.execution.store import Store
from overopt.report.stored.run_folder import read_run
from overopt.run import driver
from overopt.run.cell import Cell, Found
from overopt.run.cells import cells_of
from overopt.run.driver import execute_runs
from overopt.run.graph import Graph

from .finished import fail, finish, put
from .specs import run_spec

GOLD_KB = np.array([[0.0] * 4, [1.0, 1.5, 0.5, 1.0]])
BROKEN_FRONT = Failure("f", "front", "oracle front", "raised", "no gain", "", "f")


def _replace_scheduler(
    monkeypatch: pytest.MonkeyPatch, results: Sequence[RoutineResult[Found]]
) -> None:
    """Let the scheduler return these results, whatever it is asked for."""

    def execute(routines: Sequence[Any], *others: Any) -> list[RoutineResult[Found]]:
        assert len(routines) == len(results)
        return list(results)

    monkeypatch.setattr(driver, "execute", execute)


def _front(cell: Cell) -> RoutineResult[Found]:
    return RoutineResult(Found(cell, None, BROKEN_FRONT), None)


def test_a_cell_that_breaks_and_a_front_that_fails_leave_the_rest(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_spec(seeds=(0, 1, 2))
    one, two, three = cells_of(run)
    broken = RoutineResult[Found](None, "Traceback ...\n  line\nKeyError: 'kl_cheap_nats'\n")
    results = [
        RoutineResult(finish(store, one, (None, 0.02), GOLD_KB), None),
        broken,
        RoutineResult(fail(three), None),
        _front(one),
    ]
    _replace_scheduler(monkeypatch, results)
    outcome = execute_runs([run], store, tmp_path / "out", workers=1, arguments=["bench"])
    (folder,) = outcome.folders
    points = read_run(folder).points
    assert points.groupby("seed")["status"].unique().map(list).to_dict() == {
        0: ["ok", "unreached"], 1: ["failed"], 2: ["failed"],
    }  # fmt: skip
    assert [(title, failure.message) for title, failure in outcome.failures] == [
        (two.title, "KeyError: 'kl_cheap_nats'"),
        (three.title, "loss nan"),
        ("oracle front", "no gain"),
    ]
    assert "line" in outcome.failures[0][1].traceback


def test_a_front_that_fails_leaves_that_of_another_world(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_spec(worlds=(0, 1))
    one, two = cells_of(run)
    made = Graph(two).front(run.kl_grid_nats)
    place = {"kl_nats": 0.1, "gold": 0.4, "gold_se": None, "estimator": "exact", "ess": None}
    put(store, made, {"front.json": {"points": [place]}})
    found = [RoutineResult(finish(store, cell, (None, 0.02), GOLD_KB), None) for cell in (one, two)]
    fronts = [_front(one), RoutineResult(Found(two, made, None), None)]
    _replace_scheduler(monkeypatch, [*found, *fronts])
    outcome = execute_runs([run], store, tmp_path / "out", workers=1, arguments=["bench"])
    (folder,) = outcome.folders
    (row,) = read_run(folder).front.to_dict("records")
    assert (row["world"], row["kl_nats"], row["gold"]) == (1, 0.1, 0.4)
    assert [title for title, _ in outcome.failures] == ["oracle front"]


def test_results_are_tried_before_work_begins(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")

    def refuse(*arguments: Any) -> None:
        raise AssertionError("work began")

    monkeypatch.setattr(driver, "execute", refuse)
    with pytest.raises(UserError, match="cannot be written"):
        execute_runs([run_spec()], store, tmp_path / "file" / "out", workers=1, arguments=[])
