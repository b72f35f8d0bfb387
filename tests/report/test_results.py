"""Reading: what is stored is read exactly, and anything doubtful is refused in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overopt.errors import UserError
from overopt.report.groups import group_points
from overopt.report.stored.points import check_points
from overopt.report.stored.reading import read_results
from overopt.report.stored.run_folder import find_runs
from overopt.spec.columns import POINT_COLUMNS

from .synthetic import edit_points, write_runs


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


@pytest.mark.parametrize(
    ("computed", "drawn", "shared"),
    [(0.0001, 0.02, True), (0.01, 0.0, False), (0.0, 0.2, False)],
)
def test_runs_of_other_initial_policies_have_no_front_in_common(
    run: Path, computed: float, drawn: float, shared: bool
) -> None:
    other = run.with_name("other")
    shutil.copytree(run, other)
    front = pd.read_csv(other / "front.csv")
    late = front.index >= len(front) // 2
    front = front.assign(
        gold_se=np.where(late, 0.005, np.nan), estimator=np.where(late, "annealed", "exact")
    )
    front.to_csv(run / "front.csv", index=False)
    front.assign(gold=front["gold"] + late * drawn + ~late * computed).to_csv(
        other / "front.csv", index=False
    )
    assert len(read_results([run]).front("reviews", 0)) == len(front) > 1
    assert len(read_results([run, other]).front("reviews", 0)) == shared * len(front)


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
