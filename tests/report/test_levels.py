"""Levels of an axis: part of what a result is, so that two levels never merge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.report.groups import group_results
from overopt.report.stored.frame import load_results
from overopt.report.stored.levels import levels_of, short
from overopt.report.stored.reading import read_results

from .synthetic import write_runs


def _with_level(root: Path, key: str, value: object) -> Path:
    (run,) = write_runs(
        root, methods=("dpo",), proxies=("single",), noises=("0",), seeds=(0, 1), failed=()
    )
    record = json.loads((run / "run.json").read_text())
    record["spec"]["proxies"] = [{"name": "single"}]
    record["spec"]["levels"] = [{"key": key, "value": value}]
    (run / "run.json").write_text(json.dumps(record))
    return run


@pytest.mark.parametrize(
    ("key", "column", "label"),
    [
        ("policy.architecture.width", "task_label", "tabular, policy width"),
        ("dpo.beta", "method_label", "dpo, beta"),
        ("rounds.count", "method_label", "dpo, rounds"),
        ("single.members", "proxy_label", "single, members"),
        ("proxy.training.epochs", "proxy_label", "single, epochs"),
        ("proxy.training.batch_size", "proxy_label", "single, proxy batch size"),
    ],
)
def test_same_numbers_at_two_levels_stay_two_results(
    tmp_path: Path, key: str, column: str, label: str
) -> None:
    runs = [_with_level(tmp_path / str(value), key, value) for value in (1, 2)]
    results = read_results(runs)
    task = results.points["task"].iloc[0]
    wanted = {label.replace("tabular", task) + f" {value}" for value in (1, 2)}
    assert set(results.points[column]) == wanted
    groups = group_results(results)
    assert len(groups) == 2 and all(group.n_seeds == 2 for group in groups)
    assert results.versions == ("", "")
    levels = load_results(runs)[["task_level", "method_level", "proxy_level"]].drop_duplicates()
    assert sorted("".join(row) for row in levels.to_numpy().tolist()) == [f"{key}=1", f"{key}=2"]


def test_labels_are_short_and_name_their_level() -> None:
    assert short("uwo.members=3", "uwo") == "members 3"
    assert short("proxy.training.epochs=4, uwo.members=3", "uwo") == "epochs 4, members 3"
    assert short("", "uwo") == ""


@pytest.mark.parametrize(
    "levels",
    [
        {"key": "a"},
        ["a=1"],
        [{"key": "a"}],
        [{"key": 1, "value": 1}],
        [{"key": "a", "value": [1]}],
        [{"key": "a", "value": "b\nc"}],
        [{"key": "a" * 1000, "value": 1}],
    ],
)
def test_damaged_levels_are_refused(levels: object) -> None:
    with pytest.raises(UserError, match=r"run\.json: spec\.levels must be a list"):
        levels_of({"spec": {"levels": levels}}, "run.json")
