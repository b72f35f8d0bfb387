"""Runs read together: each cell once, and runs that contradict each other side by side."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from overopt.report.groups import group_points
from overopt.report.stored.reading import read_results
from overopt.report.writing import compose_report
from overopt.spec.columns import POINT_COLUMNS

from ..synthetic import edit_points


def test_a_copy_of_a_run_counts_once(run: Path) -> None:
    copy = run.with_name("step-copy")
    shutil.copytree(run, copy)
    alone = read_results([run]).points
    both = read_results([run, copy]).points
    assert len(both) == len(alone)


def copy_of(run: Path, name: str, rows: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """Another run of the same cells, with other rows."""
    copy = run.with_name(name)
    shutil.copytree(run, copy)
    table = pd.read_csv(copy / "points.csv", dtype=str, keep_default_na=False)
    rows(table).to_csv(copy / "points.csv", index=False)
    return copy


def as_failed(table: pd.DataFrame) -> pd.DataFrame:
    """The one row of a cell that broke."""
    row = table.head(1).copy()
    row.loc[:, "knob_value":"tokens_processed"] = ""
    return row.assign(status="failed")


def without_budgets_above(table: pd.DataFrame, nats: float) -> pd.DataFrame:
    """The same cell where it did not get further: larger budgets are out of reach."""
    target = pd.to_numeric(table["kl_target_nats"])
    short = table.copy()
    short.loc[target > nats, "kl_nats":"tokens_processed"] = ""
    return short.assign(status=short["status"].where(~(target > nats), "unreached"))


@pytest.mark.parametrize("worse", ["a-worse", "z-worse"])
def test_a_cell_that_failed_and_then_succeeded_has_succeeded(run: Path, worse: str) -> None:
    alone = read_results([run])
    failed = copy_of(run, worse, as_failed)
    assert read_results([failed]).points["status"].tolist() == ["failed"]
    both = read_results([run, failed])
    pd.testing.assert_frame_equal(both.points.drop(columns="run"), alone.points.drop(columns="run"))
    assert set(both.points["run"]) == {alone.runs[0].name}
    assert len(both.runs) == 2


@pytest.mark.parametrize("worse", ["a-worse", "z-worse"])
def test_a_budget_that_one_run_reached_is_reached(run: Path, worse: str) -> None:
    alone = read_results([run]).points
    short = copy_of(run, worse, lambda table: without_budgets_above(table, 1.0))
    statuses = read_results([short]).points["status"].value_counts()
    assert statuses.to_dict() == {"ok": 5, "unreached": 5}
    both = read_results([run, short]).points
    columns = list(POINT_COLUMNS)
    pd.testing.assert_frame_equal(
        both[columns].sort_values("kl_target_nats", ignore_index=True),
        alone[columns].sort_values("kl_target_nats", ignore_index=True),
    )


def test_a_run_of_fewer_budgets_is_a_part_of_one_of_more(run: Path) -> None:
    part = copy_of(run, "part", lambda table: table.head(4))
    assert len(read_results([part, run]).points) == len(read_results([run]).points) == 10


@pytest.fixture
def two(run: Path, committed_results: Path) -> tuple[Path, dict[str, Any]]:
    """A run with other seeds, and a whole record, which both have at first."""
    stored = min((committed_results / "matrix" / "reviews" / "dpo").glob("*/run.json"))
    more = copy_of(run, "more", lambda table: table.assign(seed="7"))
    record = json.loads((run / "run.json").read_text())
    record["spec"] = json.loads(stored.read_text())["spec"]
    for folder in (run, more):
        (folder / "run.json").write_text(json.dumps(record))
    assert read_results([run, more]).versions == ("", "")
    return more, record


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("methods", 0, "config", "beta"), 0.013),
        (("task", "evaluation", "samples_per_prompt"), 77),
        (("proxies", 0, "config", "members"), 3),
    ],
)
def test_runs_of_other_settings_are_never_one_curve(
    run: Path, two: tuple[Path, dict[str, Any]], place: tuple[Any, ...], value: float
) -> None:
    """Also where they hold other seeds, so that no cell tells them apart."""
    more, record = two
    part = record["spec"]
    for name in place[:-1]:
        part = part[name]
    assert place[-1] in part
    part[place[-1]] = value
    (more / "run.json").write_text(json.dumps(record))
    assert sorted(read_results([run, more]).versions) == ["run 1", "run 2"]


def test_a_setting_that_one_record_does_not_know_is_no_other_setting(
    run: Path, two: tuple[Path, dict[str, Any]]
) -> None:
    more, record = two
    del record["spec"]["methods"][0]["config"]["beta"]
    (more / "run.json").write_text(json.dumps(record))
    assert read_results([run, more]).versions == ("", "")


def test_what_failed_everywhere_stays_failed_once(run: Path) -> None:
    first, second = copy_of(run, "first", as_failed), copy_of(run, "second", as_failed)
    assert read_results([first, second]).points["status"].tolist() == ["failed"]


def test_runs_that_contradict_each_other_stand_side_by_side(run: Path) -> None:
    failed = copy_of(run, "failed", as_failed)
    same = copy_of(run, "same", lambda table: table)
    other = copy_of(run, "other", lambda table: table)
    edit_points(other, "gold_mean", 3, "9.0")
    short = copy_of(run, "short", lambda table: without_budgets_above(table, 1.0))
    edit_points(short, "gold_mean", 0, "0.5")
    results = read_results([failed, run, same, other, short])
    assert results.versions == ("run 1", "run 1", "run 1", "run 2", "run 3")
    points = results.points
    assert points["method_label"].value_counts().to_dict() == {
        "dpo, run 1": 10,
        "dpo, run 2": 10,
        "dpo, run 3": 10,
    }
    # what one version failed to reach is not made up for by another
    missed = points[points["status"] == "unreached"]
    assert set(missed["method_label"]) == {"dpo, run 3"}
    second = points[points["version"] == "run 2"].sort_values("kl_target_nats")
    assert second["gold_mean"].tolist().count(9.0) == 1
    assert len(group_points(points)) == 3


def test_the_run_that_finished_first_is_number_one(run: Path) -> None:
    earlier = copy_of(run, "z-earlier", lambda table: table)
    edit_points(earlier, "gold_mean", 3, "9.0")
    record = json.loads((earlier / "run.json").read_text(encoding="utf-8"))
    record["finished_utc"] = "2001-01-01T00:00:00+00:00"
    (earlier / "run.json").write_text(json.dumps(record), encoding="utf-8")
    results = read_results([run, earlier])
    assert [one.folder.name for one in results.runs] == ["z-earlier", run.name]
    assert results.versions == ("run 1", "run 2")


def test_a_contradiction_leaves_other_methods_alone(run: Path) -> None:
    other = copy_of(run, "other", lambda table: table)
    edit_points(other, "gold_mean", 3, "9.0")
    ipo = copy_of(run, "ipo", lambda table: table.assign(method="ipo"))
    results = read_results([run, other, ipo])
    assert set(results.points["method_label"]) == {"dpo, run 1", "dpo, run 2", "ipo"}
    page = compose_report(results).page
    assert "ipo, run" not in page
    for number, name in enumerate((run.name, "other"), start=1):
        assert f"dpo, run {number} is reviews/dpo/{name} of commit" in page


def test_runs_of_one_name_in_two_folders_are_compared(run: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "reviews" / "dpo" / run.name
    shutil.copytree(run, elsewhere)
    agreeing = read_results([run, elsewhere])
    assert len(agreeing.points) == 10
    assert agreeing.versions == ("", "")
    edit_points(elsewhere, "gold_mean", 3, "9.0")
    assert read_results([run, elsewhere]).versions == ("run 1", "run 2")


def test_another_world_is_no_other_version(run: Path) -> None:
    """Its cells have other numbers because they are other cells."""
    other = copy_of(run, "other", lambda table: table.assign(world="1"))
    edit_points(other, "gold_mean", 3, "9.0")
    results = read_results([run, other])
    assert results.versions == ("", "")
    assert len(results.points) == 20
    assert results.worlds("reviews") == [0, 1]
    assert {group.world for group in group_points(results.points)} == {0, 1}
    assert "other versions and machines" not in compose_report(results).page


def test_golds_are_never_laid_together(run: Path) -> None:
    other = copy_of(run, "other", lambda table: table.assign(gold="transformer"))
    results = read_results([run, other])
    assert results.versions == ("", "")
    assert results.tasks == ["reviews, gold rule", "reviews, gold transformer"]
    report = compose_report(results)
    assert [job.material.folder for job in report.jobs[::4]] == [
        "reviews__gold_rule",
        "reviews__gold_transformer",
    ]
    names = {row[0].partition(":")[0] for row in report.shown["scores"].rows}
    assert names == set(results.tasks)


@pytest.mark.parametrize("names", [("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b")])
def test_runs_that_agree_come_together_whichever_is_read_first(
    run: Path, names: tuple[str, str, str]
) -> None:
    """One run of two noises, one of the first alone, and another version of the second."""
    both, first, second = names

    def noisy(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(noise="0.25")

    copy_of(run, both, lambda table: pd.concat([table, noisy(table)]))
    copy_of(run, first, lambda table: table)
    edit_points(copy_of(run, second, noisy), "gold_mean", 3, "9.0")
    shutil.rmtree(run)
    results = read_results([run.parent])
    version = {one.folder.name: results.versions[i] for i, one in enumerate(results.runs)}
    assert version[both] == version[first] != version[second]
    assert len(results.points[results.points["noise"] == "0"]) == 10
    assert len(results.points[results.points["noise"] == "0.25"]) == 20
