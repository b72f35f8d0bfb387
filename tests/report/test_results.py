"""Reading: what is stored is read exactly, and anything doubtful is refused in one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from overopt.errors import UserError
from overopt.report.groups import group_points
from overopt.report.stored.points import check_points
from overopt.report.stored.reading import read_results
from overopt.report.stored.run_folder import find_runs
from overopt.report.writing import compose_report
from overopt.spec.columns import POINT_COLUMNS

from .synthetic import write_runs


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One small run folder that a test may damage."""
    return write_runs(
        tmp_path, methods=("dpo",), proxies=("single",), noises=("0",), seeds=(0,), failed=()
    )[0]


def edit_points(run: Path, column: str, row: int, value: str) -> None:
    table = pd.read_csv(run / "points.csv", dtype=str, keep_default_na=False)
    table.loc[row, column] = value
    table.to_csv(run / "points.csv", index=False)


def test_values_survive_reading(run: Path) -> None:
    edit_points(run, "gold_mean", 1, "0.12345678901234567")
    points = read_results([run]).points
    assert points["gold_mean"].iloc[1] == 0.12345678901234567
    assert points["noise"].tolist() == ["0"] * len(points)
    assert points["kl_exact_nats"].isna().all()
    assert points["method_label"].iloc[0] == "dpo"


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-Infinity", "much"])
def test_what_is_not_a_number_is_refused(run: Path, text: str) -> None:
    edit_points(run, "gold_mean", 2, text)
    with pytest.raises(UserError, match=r"points\.csv, data row 3 has gold_mean"):
        read_results([run])


@pytest.mark.parametrize(
    ("column", "row", "value", "said"),
    [
        ("gold_mean", 2, "", "is ok but has no gold_mean"),
        ("kl_nats", 2, "", "is ok but has no kl_nats"),
        ("kl_estimator", 2, "", "names no kl_estimator"),
        ("status", 2, "fine", "has status 'fine'"),
        ("status", 2, "unreached", "is unreached but has kl_nats"),
        ("seed", 2, "1.5", "must be a whole number"),
        ("seed", 2, "", "has no seed"),
        ("proxy", 2, "", "has no proxy"),
    ],
)
def test_rows_that_break_their_status_are_refused(
    run: Path, column: str, row: int, value: str, said: str
) -> None:
    edit_points(run, column, row, value)
    with pytest.raises(UserError, match=said):
        read_results([run])


def test_missing_and_unknown_columns_are_named(run: Path) -> None:
    table = pd.read_csv(run / "points.csv", dtype=str, keep_default_na=False)
    table.rename(columns={"gold_mean": "golden"}).to_csv(run / "points.csv", index=False)
    with pytest.raises(UserError, match="lacks gold_mean and has the unknown golden"):
        read_results([run])


def test_files_that_are_damaged_are_refused(run: Path) -> None:
    original = (run / "points.csv").read_text()
    (run / "points.csv").write_text(original + "reviews,dpo\n")
    with pytest.raises(UserError, match="2 cells where the header has"):
        read_results([run])
    (run / "points.csv").write_bytes(original.encode() + b"\xff\xfe")
    with pytest.raises(UserError, match="damaged"):
        read_results([run])
    (run / "points.csv").unlink()
    with pytest.raises(UserError, match=r"points\.csv is missing"):
        read_results([run])


@pytest.mark.parametrize(
    "text", ['{"wall_s": NaN}', '{"a": 1, "a": 2}', '{"wall_s": 1', "[1]", "[" * 100000]
)
def test_a_record_that_is_not_json_is_refused(run: Path, text: str) -> None:
    (run / "run.json").write_text(text)
    with pytest.raises(UserError, match=r"run\.json"):
        read_results([run])


def test_optional_files_are_checked_when_they_are_there(run: Path) -> None:
    for name in ("excerpts.json", "contrasts.csv", "front.csv"):
        (run / name).rename(run / f"kept-{name}")
    bare = read_results([run])
    assert bare.runs[0].excerpts == ()
    assert bare.front("reviews", 0).empty
    (run / "front.csv").write_text("world,kl_nats,gold,ess\n0,1.0,nan,\n")
    with pytest.raises(UserError, match=r"front\.csv, data row 1 has gold = nan"):
        read_results([run])
    (run / "front.csv").write_text("world,kl_nats,gold,ess\n0,1.0,0.5,\n")
    assert read_results([run]).front("reviews", 0)["gold"].tolist() == [0.5]
    (run / "contrasts.csv").write_text("proxy,noise\nsingle,0\n")
    with pytest.raises(UserError, match=r"contrasts\.csv lacks"):
        read_results([run])
    (run / "contrasts.csv").unlink()
    (run / "excerpts.json").write_text(json.dumps([{"prompt": "a"}]))
    with pytest.raises(UserError, match="excerpt 1 lacks"):
        read_results([run])


def test_runs_are_found_below_a_parent_and_once(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, run.with_name(f".{run.name}-draft"))
    assert find_runs([tmp_path, run]) == [run.resolve()]
    with pytest.raises(UserError, match="holds no run"):
        find_runs([_empty(tmp_path)])
    with pytest.raises(UserError, match="is not a folder"):
        find_runs([tmp_path / "nowhere"])


def _empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


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


def of_record(run: Path, world: object, gold: object) -> None:
    """Make a run one of an earlier version: its tables name neither world nor gold."""
    for name in ("points.csv", "contrasts.csv", "budgets.csv", "front.csv"):
        table = pd.read_csv(run / name, dtype=str, keep_default_na=False)
        identity = ["world", "gold"] if name == "points.csv" else ["world"]
        table.drop(columns=identity).to_csv(run / name, index=False)
    shown = json.loads((run / "excerpts.json").read_text())
    bare = [{key: one[key] for key in one if key != "world"} for one in shown]
    (run / "excerpts.json").write_text(json.dumps(bare))
    record = json.loads((run / "run.json").read_text())
    record["spec"]["task"]["world"] = {"seed": world}
    record["spec"]["gold"] = {"name": gold}
    (run / "run.json").write_text(json.dumps(record))


def test_tables_without_a_world_are_of_the_one_in_the_record(run: Path) -> None:
    today = read_results([run]).points
    of_record(run, 3, "transformer")
    results = read_results([run])
    assert set(results.points["world"]) == {3.0}
    assert set(results.points["gold"]) == {"transformer"}
    others = [name for name in POINT_COLUMNS if name not in ("world", "gold")]
    pd.testing.assert_frame_equal(results.points[others], today[others])
    (read,) = results.runs
    assert set(read.contrasts["world"]) == {3.0}
    assert {one.world for one in read.excerpts} == {3}
    assert len(results.front("reviews", 3)) == len(read.front) > 0
    assert results.front("reviews", 0).empty


@pytest.mark.parametrize("world", [None, "0", True])
def test_a_world_that_nothing_names_is_not_guessed(run: Path, world: object) -> None:
    of_record(run, world, "rule")
    with pytest.raises(UserError, match="lacks world"):
        read_results([run])


def test_a_run_that_lists_its_worlds_must_name_them_in_every_row(run: Path) -> None:
    of_record(run, 0, "rule")
    record = json.loads((run / "run.json").read_text())
    record["spec"]["worlds"] = [0, 1]
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="lacks world, gold"):
        read_results([run])


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


def test_labels_name_only_what_differs(run: Path) -> None:
    table = pd.read_csv(run / "points.csv", dtype=str, keep_default_na=False)
    wider = table.assign(proxy_width="64")
    merged = pd.concat([table, wider])
    merged.to_csv(run / "points.csv", index=False)
    labels = set(read_results([run]).points["proxy_label"])
    assert labels == {"single, width 32", "single, width 64"}


def test_proxies_of_one_width_and_another_start_are_not_merged(run: Path) -> None:
    table = pd.read_csv(run / "points.csv", dtype=str, keep_default_na=False)
    other = table.assign(proxy_start="policy")
    pd.concat([table, other]).to_csv(run / "points.csv", index=False)
    points = read_results([run]).points
    assert set(points["proxy_label"]) == {"single, from scratch", "single, from policy"}
    assert len(points) == 2 * len(table)


def test_results_from_before_there_were_starts_join_those_from_scratch(
    run: Path, tmp_path: Path
) -> None:
    old = tmp_path / "reviews" / "dpo" / "old"
    shutil.copytree(run, old)
    for name in ("points.csv", "contrasts.csv"):
        table = pd.read_csv(old / name, dtype=str, keep_default_na=False)
        table.drop(columns="proxy_start").to_csv(old / name, index=False)
    both, alone = read_results([run, old]), read_results([run])
    assert both.versions == ("", "")
    assert len(both.points) == len(alone.points)
    assert set(both.runs[0].contrasts["proxy_start"]) == {"scratch"}
    assert set(both.runs[1].contrasts["proxy_start"]) == {"scratch"}


def test_an_old_result_without_a_width_does_not_say_which_model_it_started_from(run: Path) -> None:
    table = pd.read_csv(run / "points.csv", dtype=str, keep_default_na=False)
    hub = table.drop(columns="proxy_start").assign(proxy_width="")
    hub.to_csv(run / "points.csv", index=False)
    assert set(read_results([run]).points["proxy_start"]) == {""}


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(UserError, match="holds no points"):
        check_points(pd.DataFrame(columns=list(POINT_COLUMNS)), "the points")


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("kl_nats", "1e300", r"has kl_nats = 1e300; it must lie within 1e\+30"),
        ("gold_mean", "-1.7e308", r"has gold_mean = -1.7e308; it must lie within"),
        ("seed", "1" + "0" * 400, "has seed = 10+; it must be a finite number"),
        ("seed", "9007199254740993", "it must lie within"),
        ("method", "\x1b[2J", r"has method = .*x1b\[2J.*; a name has at most 1000 characters"),
        ("proxy", "a\u202eb", "all of which print"),
        ("gold", "x" * 1001, "a name has at most 1000"),
    ],
)
def test_numbers_and_names_have_bounds(run: Path, column: str, value: str, said: str) -> None:
    edit_points(run, column, 2, value)
    with pytest.raises(UserError, match=said) as told:
        read_results([run])
    assert str(told.value).isprintable() and len(str(told.value)) < 400


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format", 99, "format = 99, which this version does not read"),
        ("wall_s", 10**400, "a number of 401 digits"),
        ("status", "\ud800", "half a letter"),
    ],
)
def test_a_record_that_no_run_writes_is_refused(
    run: Path, key: str, value: object, said: str
) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {key: value}))
    with pytest.raises(UserError, match=rf"run\.json.* {said}"):
        read_results([run])


def test_a_document_nested_without_end_is_refused(run: Path) -> None:
    text = (run / "run.json").read_text()
    for depth in (400, 100_000):
        deep = "[" * depth + "]" * depth
        (run / "run.json").write_text(f'{{"deep": {deep}, {text[1:]}')
        with pytest.raises(UserError, match="nested more than 100 deep"):
            read_results([run])


def test_an_excerpt_beyond_all_numbers_is_refused(run: Path) -> None:
    path = run / "excerpts.json"
    path.write_text(path.read_text().replace("0.21", "1.7e308"))
    with pytest.raises(UserError, match="excerpt 1 has gold_initial beyond 1e"):
        read_results([run])


@pytest.mark.parametrize(
    ("name", "column"),
    [("budgets.csv", "seeds"), ("budgets.csv", "prompts"), ("contrasts.csv", "peak_choices")],
)
def test_a_mean_without_its_counts_is_refused(tmp_path: Path, name: str, column: str) -> None:
    (run,) = write_runs(tmp_path, ("dpo",), ("single",), ("0",), seeds=(0, 1), failed=())
    table = pd.read_csv(run / name, dtype=str, keep_default_na=False)
    table.loc[0, column] = ""
    table.to_csv(run / name, index=False)
    with pytest.raises(UserError, match=rf"{name}, data row 1 has no {column}"):
        group_points(read_results([run]).points)
