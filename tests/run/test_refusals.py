"""What cannot be run is told before anything is built, once for a method and a proxy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from overopt.commands.axes.grid import resolve_all
from overopt.commands.plan import plan
from overopt.commands.request import Request
from overopt.commands.run import make_runs
from overopt.errors import NothingToRun
from overopt.run.refusals import check_possible


def test_what_the_task_has_not_is_refused_by_method_and_proxy() -> None:
    runs = resolve_all(Request(method=["bon", "mrt"], proxy=["single", "more"], seeds=2))
    refused = check_possible(runs)
    assert set(refused) == {"bon with more", "mrt with single", "mrt with more"}
    assert "labels.annotators" in refused["bon with more"]


def test_what_can_run_is_not_refused() -> None:
    runs = resolve_all(Request(method=["bon", "dpo", "rloo"], proxy=["single", "uwo"], seeds=1))
    assert check_possible(runs) == {}
    annotated = Request(method=["bon"], proxy=["more"], task="reviews-annotators")
    assert check_possible(resolve_all(annotated)) == {}


def test_a_run_of_nothing_does_not_begin(tmp_path: Path) -> None:
    runs = resolve_all(Request(method=["step-dpo"], seeds=2))
    with pytest.raises(NothingToRun, match=r"learns from steps.*use --task arithmetic\.$"):
        make_runs(runs, tmp_path / "store", tmp_path / "results", 1, True, [])
    assert list(tmp_path.iterdir()) == []


def test_a_plan_counts_what_a_run_would_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = resolve_all(Request(method=["bon", "mrt"], proxy=["single", "more"], seeds=2))
    assert plan(runs, tmp_path / "store", 1, as_json=True) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["cells"] == 2
    assert told.err.count("cannot run") == 3
    with pytest.raises(NothingToRun, match="learns from steps"):
        plan(resolve_all(Request(method=["step-dpo"])), tmp_path / "store", 1)
