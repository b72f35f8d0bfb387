"""Run folders of earlier versions must still be read, number by number."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from overopt.report.stored.reading import read_results
from overopt.report.stored.run import Run
from overopt.report.stored.run_folder import read_run

RUNS = Path(__file__).with_name("runs")


@pytest.fixture(scope="module")
def first() -> Run:
    return read_run(RUNS / "tiny" / "dpo" / "step-292b341cde")


def test_every_golden_run_is_read() -> None:
    folders = [path.parent for path in RUNS.rglob("run.json")]
    assert len(read_results([RUNS]).runs) == len(folders) >= 1


def test_points_are_those_that_were_written(first: Run) -> None:
    points = first.points
    assert len(points) == 33
    assert set(points["world"]) == {0} and set(points["gold"]) == {"rule"}
    assert points["status"].value_counts().to_dict() == {"ok": 32, "unreached": 1}
    cell = points.query("noise == '0.25' and seed == 1")
    assert cell["kl_target_nats"].dropna().tolist() == [0.02, 0.05, 0.1, 0.2]
    start = cell.iloc[0]
    assert (start["step"], start["kl_nats"], start["gold_mean"], start["win_rate"]) == (
        0,
        0,
        0,
        0.5,
    )
    last = cell[cell["status"] == "ok"].iloc[-1]
    assert last["kl_nats"] == 0.19122391354176216
    assert last["gold_mean"] == 0.2862596890795123
    assert last["kl_exact_nats"] == 0.1930811659076995
    assert last["n_prompts"] == 8 and last["n_samples"] == 64


def test_tests_front_and_excerpts_are_those_that_were_written(first: Run) -> None:
    contrasts = first.contrasts
    assert contrasts["noise"].tolist() == ["0", "0.25"]
    assert contrasts["peak_gold"].tolist() == [0.16779614893079908, 0.1614359910805836]
    assert contrasts["exploratory"].tolist() == [True, True]
    assert first.front["gold"].tolist() == [
        0.22903102002572667, 0.3268680681075964, 0.43384676393719357, 0.5794297984537894,
    ]  # fmt: skip
    assert first.front["ess"].isna().all()  # the front is exact
    assert len(first.excerpts) == 12
    worlds = {*contrasts["world"], *first.front["world"], *(one.world for one in first.excerpts)}
    assert worlds == {0}
    assert first.record["format"] == 1
    assert first.record["spec"]["task"]["world"]["kind"] == "tabular"


def test_a_run_along_beta_is_one_along_the_knob(tmp_path: Path) -> None:
    """The axis was called beta; a run that says knob holds the same cells."""
    folder = RUNS / "tiny" / "dpo" / "beta-1a05dfcc02"
    former = read_run(folder).points
    assert set(former["along"]) == {"knob"}
    assert former["kl_target_nats"].dropna().tolist() == [
        *(0.05, 0.1, 0.2, 0.02),
        *(0.02, 0.05, 0.1, 0.2),
    ]
    renamed = tmp_path / "tiny" / "dpo" / "knob-1a05dfcc02"
    shutil.copytree(folder, renamed)
    text = (folder / "points.csv").read_text()
    assert text.count(",beta,") == 2 * len(former), "the axis, and the knob's name"
    (renamed / "points.csv").write_text(text.replace(",native,beta,", ",native,knob,"))
    together = read_results([folder, renamed])
    assert together.versions == ("", "")
    assert len(together.points) == len(former)
