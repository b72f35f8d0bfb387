"""``bench run`` from the command line to the results folder."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from pathlib import Path

import pytest

from overopt.execution.canonical import canonical_json
from overopt.report.stored.run_folder import read_run
from overopt.stats.budgets import MET_WITHIN

from .command import Place
from .conftest import MAIN

BUDGETS = (0.02, 0.05, 0.1, 0.2)


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in folder.rglob("*")
    }


def test_results_have_a_folder_per_method_with_its_files(undisturbed: Place) -> None:
    assert {path.name for path in undisturbed.out.iterdir()} == {"tiny"}
    assert {path.name for path in (undisturbed.out / "tiny").iterdir()} == {"bon", "dpo"}
    for method, axis in (("bon", "knob"), ("dpo", "step")):
        folder = undisturbed.folder(method)
        assert folder.name.startswith(f"{axis}-")
        trained = (
            {"trajectory.csv", "diagnostics.csv", "rankings.csv"} if method == "dpo" else set()
        )
        assert {path.name for path in folder.iterdir()} == trained | {
            "run.json", "points.csv", "excerpts.json", "contrasts.csv", "budgets.csv", "front.csv",
            "prompts.parquet",
        }  # fmt: skip


def test_every_cell_has_its_origin_and_every_budget_a_row(undisturbed: Place) -> None:
    for method in ("bon", "dpo"):
        rows = undisturbed.points(method)
        cells = {(row["noise"], row["seed"]) for row in rows}
        assert cells == {(noise, seed) for noise in ("0", "0.25") for seed in "01"}
        for cell in cells:
            mine = [row for row in rows if (row["noise"], row["seed"]) == cell]
            assert (mine[0]["step"], mine[0]["kl_nats"], mine[0]["gold_mean"]) == (
                "0",
                "0.0",
                "0.0",
            )
            targets = [float(row["kl_target_nats"]) for row in mine if row["kl_target_nats"]]
            assert sorted(targets) == list(BUDGETS)
            for row in mine:
                measured = [row["kl_nats"], row["gold_mean"], row["proxy_mean"], row["win_rate"]]
                assert all(measured) if row["status"] == "ok" else not any(measured)


def test_the_report_reads_what_was_written_number_by_number(undisturbed: Place) -> None:
    run = read_run(undisturbed.folder("dpo"))
    rows = undisturbed.points("dpo")
    assert len(run.points) == len(rows)
    assert [repr(v) for v in run.points["gold_mean"].dropna()] == [
        row["gold_mean"] for row in rows if row["gold_mean"]
    ]
    assert run.points["kl_exact_nats"].notna().sum() == sum(
        row["status"] == "ok" and row["step"] != "0" for row in rows
    )
    assert len(run.contrasts) == 2
    assert list(run.front["kl_nats"]) == pytest.approx(BUDGETS)
    assert len(run.excerpts) == 12
    assert all(excerpt.seed == 0 for excerpt in run.excerpts)
    furthest = run.points.query("noise == '0' and seed == 0")["kl_nats"].max()
    assert run.excerpts[0].kl_nats == pytest.approx(furthest)


def test_the_record_says_what_was_asked_and_with_what(undisturbed: Place) -> None:
    record = undisturbed.record("dpo")
    assert record["status"] == "ok" and record["failures"] == []
    assert record["arguments"][:2] == ["bench", "run"]
    assert record["spec"]["kl_grid_nats"] == list(BUDGETS)
    assert record["spec"]["task"]["pairs"]["max_steps"] == 30
    assert [method["name"] for method in record["spec"]["methods"]] == ["dpo"]
    spec = canonical_json(record["spec"])
    assert record["spec_sha256"] == hashlib.sha256(spec.encode()).hexdigest()
    assert record["standard"] is False  # the task is the user's own file
    assert {"torch", "transformers", "numpy"} <= set(record["packages"])
    assert len(record["artifacts"]) == 4
    assert [(row["noise"], row["seed"]) for row in record["data"]] == [
        ("0", 0), ("0", 1), ("0.25", 0), ("0.25", 1),
    ]  # fmt: skip
    rates = [row["realized_flip_rate"] for row in record["data"]]
    assert rates[:2] == [0.0, 0.0]
    assert all(0.1 < rate < 0.4 for rate in rates[2:])


def test_the_same_command_finds_everything_and_leaves_it_alone(undisturbed: Place) -> None:
    before, built = _stamps(undisturbed.out), undisturbed.built()
    for workers in ("2", "1"):
        ended = undisturbed.done(*MAIN, "--workers", workers)
        assert undisturbed.folder("dpo").name in ended.stdout
    assert _stamps(undisturbed.out) == before
    assert undisturbed.built() == built
    assert set(built.values()) == {1}


def test_one_worker_gives_the_bytes_of_two(undisturbed: Place, tmp_path: Path) -> None:
    alone = Place.fresh(tmp_path)
    alone.done(*MAIN, "--workers", "1")
    assert alone.files() == undisturbed.files()
    assert alone.digests() == undisturbed.digests()
    assert alone.record("dpo")["spec_sha256"] == undisturbed.record("dpo")["spec_sha256"]


def test_a_results_folder_that_was_changed_is_not_passed_over(
    undisturbed: Place, tmp_path: Path
) -> None:
    place = Place(tmp_path / "copy")
    shutil.copytree(undisturbed.root, place.root)
    points = place.folder("bon") / "points.csv"
    points.write_text(points.read_text().replace("tiny", "huge"))
    ended = place.run(*MAIN)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1 and "points.csv is not what this run wrote" in ended.stderr
    assert "huge" in points.read_text()


def test_a_driven_knob_meets_budgets_or_says_unreached(undisturbed: Place, tmp_path: Path) -> None:
    place = Place(tmp_path / "copy")
    shutil.copytree(undisturbed.root, place.root)
    shutil.rmtree(place.out)
    # Within its 30 steps the task's DPO gets from 0.03 nats at beta 10 to 0.23 at 0.001.
    grid = ("--kl-grid", "0.01", "0.05", "0.15", "5")
    place.done("--method", "dpo", "--seeds", "1", "--along", "knob", *grid)
    assert place.folder("dpo").name.startswith("knob-")
    points = read_run(place.folder("dpo")).points
    assert set(points["along"]) == {"knob"}
    missed = points[points["status"] == "unreached"]
    assert list(missed["kl_target_nats"]) == [0.01, 5.0]
    met = points[(points["status"] == "ok") & points["kl_target_nats"].notna()]
    assert list(met["kl_target_nats"]) == [0.05, 0.15]
    assert met["knob_value"].is_unique
    gap = (met["kl_rb_nats"] / met["kl_target_nats"]) ** 0.5 - 1
    # The budget is met on the cheap estimate; the full one has an error of its own.
    error = met["kl_rb_se"] / met["kl_rb_nats"]
    assert (gap.abs() <= MET_WITHIN + 2 * error).all()


def test_selection_is_the_same_along_either_axis(undisturbed: Place, tmp_path: Path) -> None:
    place = Place(tmp_path / "copy")
    shutil.copytree(undisturbed.root, place.root)
    before = place.files()
    place.done("--method", "bon", "--noise", "0", "0.25", "--seeds", "2", "--along", "knob")
    assert place.files() == before


def test_every_axis_multiplies_the_cells(tmp_path: Path) -> None:
    place = Place.fresh(tmp_path)
    place.done(
        *("--method", "bon", "--proxy", "single", "mean", "--set", "mean.members=2"),
        *("--noise", "random:0.5", "bt:1", "heavy:0.3", "--proxy-width", "8", "16"),
        *("--proxy-start", "policy", "scratch", "--comparisons", "32", "64", "--seed", "3"),
    )
    run = read_run(place.folder("bon"))
    axes = ["proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seed"]
    assert len(run.points.groupby(axes)) == 2 * 3 * (2 + 1) * 2
    assert set(run.points["seed"]) == {3}
    assert set(run.points["status"]) == {"ok"} | {"unreached"}
    # One model per noise, size and seed, shared by both systems, and one more for the ensemble.
    assert len(place.stages("proxy")) == 3 * (2 + 1) * 2 * 2
    assert len(place.stages("initial")) == len(place.stages("pool")) == 1
    rates = {row["noise"]: row["realized_flip_rate"] for row in place.record("bon")["data"]}
    assert all(0 < rate < 0.6 for rate in rates.values())


def test_a_world_among_several_holds_what_it_holds_alone(
    undisturbed: Place, tmp_path: Path
) -> None:
    place = Place(tmp_path / "copy")
    shutil.copytree(undisturbed.root, place.root)
    shutil.rmtree(place.out)
    built = place.built()
    place.done(*MAIN, "--worlds", "2")
    for method in ("bon", "dpo"):
        rows = place.points(method)
        assert [row for row in rows if row["world"] == "0"] == undisturbed.points(method)
        assert len({(row["world"], row["noise"], row["seed"]) for row in rows}) == 2 * 2 * 2
        gold = {
            world: [row["gold_mean"] for row in rows if row["world"] == world]
            for world in ("0", "1")
        }
        assert gold["0"] != gold["1"]
    assert all(place.built()[key] == times for key, times in built.items())
    for stage in ("initial", "gold", "pool", "front"):
        assert len(place.stages(stage)) == 2, stage
    run = read_run(place.folder("dpo"))
    assert run.contrasts["world"].tolist() == [0, 0, 1, 1]
    assert run.front.groupby("world").size().to_dict() == {0: 4, 1: 4}
    assert {excerpt.world for excerpt in run.excerpts} == {0, 1}
    assert run.record["spec"]["worlds"] == [0, 1]


OWN = '''"""DPO in a file of one's own."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings."""

    beta: float = param(0.1, help="pull toward the initial policy", unit="1/nats", above=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Of each pair."""
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return FACTOR * logsigmoid(config.beta * margin_B)
'''
NAN_LATER = '(float("nan") if len(margin_B) > 8 else -1.0)'
"""A factor that the few pairs of a rehearsal do not give away."""
OWN_PROXY = '''"""Half of a single score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(1, help="reward models", at_least=1, at_most=1)


def combine(config: Config, score_MN: np.ndarray) -> np.ndarray:
    """Half of it."""
    return score_MN[0] / 2
'''


def test_a_broken_cell_leaves_the_others_intact(undisturbed: Place, tmp_path: Path) -> None:
    place = Place(tmp_path / "copy")
    shutil.copytree(undisturbed.root, place.root)
    shutil.rmtree(place.out)
    (place.root / "broken.py").write_text(OWN.replace("FACTOR", NAN_LATER))
    ended = place.run(*MAIN, "--method", "./broken.py")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr + ended.stdout
    failed = [line for line in ended.stderr.splitlines() if line.startswith("failed broken")]
    assert len(failed) == 4
    assert all("loss nan" in line and "overopt_own" not in line for line in failed)
    titles = [
        f"broken single noise {noise} world 0 seed {seed}:"
        for noise in ("0", "0.25")
        for seed in "01"
    ]
    assert all(sum(line.count(title) for line in failed) == 1 for title in titles)
    rows = place.points("broken")
    assert [row["status"] for row in rows] == ["failed"] * 4
    assert all(not row["kl_nats"] and not row["gold_mean"] for row in rows)
    record = place.record("broken")
    assert record["status"] == "partly failed"
    assert len(record["failures"]) == 4
    assert read_run(place.folder("broken")).points["status"].eq("failed").all()
    # The others are those of the run without it.
    assert {k: v for k, v in place.files().items() if "/broken/" not in k} == undisturbed.files()


def test_own_files_keep_their_results_wherever_they_lie(tmp_path: Path) -> None:
    place = Place.fresh(tmp_path / "work")
    for name in ("here", "there"):
        (place.root / name).mkdir()
        (place.root / name / "halved.py").write_text(OWN_PROXY)
    words = ("--noise", "0", "--seeds", "1")
    (place.root / "here/mine.py").write_text(OWN.replace("FACTOR", "-1"))
    place.done("--method", "here/mine.py", "bon", "--proxy", "here/halved.py", *words)
    built, folder = place.built(), place.folder("mine")
    text = (place.root / "here/mine.py").read_text() + "# a comment changes nothing\n"
    (place.root / "there/mine.py").write_text(text)
    (place.root / "here/mine.py").unlink()
    place.done("--method", "there/mine.py", "bon", "--proxy", "there/halved.py", *words)
    assert place.built() == built
    assert place.folder("mine") == folder
    (method,) = place.record("mine")["spec"]["methods"]
    assert method["source"] == "mine.py"
    stored = [path.read_text() for path in place.store.glob("??/*/manifest.json")]
    assert not any(str(tmp_path) in text for text in stored)
    assert set(place.record("mine")["own_files"]) == {"mine.py", "halved.py"}
    # The halved proxy moves best-of-n exactly as the proxy itself, at half the score.
    rows = [row for row in place.points("bon") if row["status"] == "ok"]
    assert len(rows) >= 2
    edited = OWN.replace("FACTOR", "-2")
    (place.root / "there/mine.py").write_text(edited)
    place.done("--method", "there/mine.py", "--proxy", "there/halved.py", *words)
    assert place.built() != built
    assert len(list((place.out / "tiny/mine").iterdir())) == 2


def test_own_files_of_one_name_are_told_apart_or_refused(tmp_path: Path) -> None:
    place = Place.fresh(tmp_path)
    for name, text in (("a", OWN.replace("FACTOR", "-1")), ("b", OWN_PROXY)):
        (place.root / name).mkdir()
        (place.root / name / "mine.py").write_text(text)
    ended = place.run("--method", "a/mine.py", "--proxy", "b/mine.py", "--seeds", "1")
    assert ended.returncode == 2
    assert "have the same name" in ended.stderr and ended.stderr.count("\n") == 1


def test_contrasts_are_those_of_the_stored_prompt_means(undisturbed: Place) -> None:
    contrasts = read_run(undisturbed.folder("bon")).contrasts
    assert contrasts["seeds"].tolist() == [2, 2]
    assert contrasts["prompts"].tolist() == [8, 8]
    assert set(contrasts["peak_kl_target_nats"]) <= set(BUDGETS)
    assert contrasts["exploratory"].all()
    for row in contrasts.to_dict("records"):
        assert row["peak_gold_low"] <= row["peak_gold"] <= row["peak_gold_high"]
        assert row["over"] == "seeds and prompts"
        assert math.isnan(row["fall"]) or row["peak_gold"] + row["fall"] == pytest.approx(
            row["end_gold"]
        )


def test_equal_settings_typed_otherwise_are_the_same_run(undisturbed: Place) -> None:
    before = undisturbed.built()
    undisturbed.done("-m", "bon", "-m", "dpo", "--noise=0", "--noise=0.250", "--seed", "0", "1",
                     "--kl-grid")  # fmt: skip
    assert undisturbed.built() == before
    assert len(list((undisturbed.out / "tiny/dpo").iterdir())) == 1
    listed = json.loads((undisturbed.folder("dpo") / "run.json").read_text())["arguments"]
    assert listed[-8:] == list(MAIN)
