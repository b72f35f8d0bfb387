"""Monitors scored on stored runs: what is read, what is told, and what cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overopt.catalog.monitors import monitor
from overopt.commands.monitor.monitor import score_stored
from overopt.errors import UserError
from overopt.monitors.contract import Look, OpenedMonitor
from overopt.report.monitoring.scoring import CONTROL, GroupScores, score_group
from overopt.report.monitoring.seen import SeenRuns, see_run
from overopt.report.monitoring.sheet import gold_sentence, remarks_of
from overopt.report.stored.run_folder import read_run
from overopt.spec.columns import SIGNAL_COLUMNS, SIGNALS_FILE, TWINS_FILE
from overopt.stats.intervals import t_interval
from overopt.stats.shares import share
from report.synthetic import PROMPTS, write_runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn run of five seeds, with gold by prompt and what is seen along it and its twins."""
    (made,) = write_runs(tmp_path_factory.mktemp("runs"), ("rloo",), ("single",), ("0",), failed=())
    points = read_run(made).points
    ok = points[points["status"] == "ok"]
    off_B = np.random.default_rng(0).normal(size=PROMPTS) * 0.1
    gold = [gold + off_B - off_B.mean() for gold in ok["gold_mean"]]
    columns = {
        "row": pa.array(np.repeat(ok.index.to_numpy(), PROMPTS), pa.int32()),
        "prompt_id": pa.array(np.tile(np.arange(PROMPTS), len(ok)), pa.int32()),
        "gold": pa.array(np.concatenate(gold), pa.float32()),
    }
    pq.write_table(pa.table(columns), made / "prompts.parquet", write_page_checksum=True)
    known = ok[["world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seed"]]
    watched = known.assign(
        step=ok["step"].fillna(0).astype(int), outlier_share=0.01 + ok["kl_nats"] / 100
    )
    watched.reindex(columns=list(SIGNAL_COLUMNS)).to_csv(made / SIGNALS_FILE, index=False)
    twins = watched.assign(kl_nats=ok["kl_nats"], length=ok["length_mean"], reward=ok["kl_nats"])
    twins.reindex(columns=list(SIGNAL_COLUMNS)).to_csv(made / TWINS_FILE, index=False)
    return made


def opened(*names: str) -> list[OpenedMonitor]:
    return [OpenedMonitor(monitor(name)) for name in names]


def scored(runs: SeenRuns, *names: str) -> GroupScores:
    return score_group(runs, opened(*names))


def test_looks_are_the_budgets_of_all_seeds_and_hold_no_gold(folder: Path) -> None:
    (runs,), left = see_run(read_run(folder))
    assert not left and runs.seeds == (0, 1, 2, 3, 4)
    points = read_run(folder).points
    first = points[(points["seed"] == 0) & (points["status"] == "ok")].sort_values("kl_nats")
    shown = runs.looks_S[0]
    assert [look.step for look in shown] == [int(step) for step in first["step"]][: len(shown)]
    assert shown[1].reward == first["proxy_mean"].iloc[1]
    assert shown[1].outlier_share == pytest.approx(0.01 + first["kl_nats"].iloc[1] / 100)
    assert shown[0].kl_nats == 0.0 and len(shown) == len(runs.budgets.kl_target_K)
    golds = set(map(float, first["gold_mean"]))
    assert not golds - {0.0} & {value for look in shown for value in look if value is not None}


def test_the_peak_that_regret_is_taken_from_is_the_stored_one(folder: Path) -> None:
    (runs,), _ = see_run(read_run(folder))
    found = scored(runs, "kl-threshold", CONTROL)
    contrast = read_run(folder).contrasts.iloc[0]
    assert found.peak.peak.kl_target_nats == contrast["peak_kl_target_nats"]
    assert found.to_end.mean == pytest.approx(-found.peak.fall.mean)


def test_a_monitor_that_knows_more_is_better_than_the_constant_stop() -> None:
    """Seeds peak at different looks; one statistic jumps at each peak, steps know nothing."""
    seeds, looks, prompts = 8, 7, 12
    generator = np.random.default_rng(5)
    peak_S = np.array([1, 2, 3, 4, 5, 1, 3, 5])
    gold = -np.abs(np.arange(1, looks)[None, :] - peak_S[:, None]).astype(float)
    gold = gold[:, :, None] + 0.1 * generator.normal(size=(seeds, looks - 1, prompts))
    gold = np.concatenate([np.full((seeds, 1, prompts), -6.0), gold], axis=1)
    from overopt.stats.rise_fall import Budgets, common_budgets

    target = np.arange(float(looks))
    (budgets,) = common_budgets([Budgets(gold, np.tile(target, (seeds, 1)), target)])
    looks_S = tuple(
        tuple(Look(k, float(k), outlier_share=float(k >= peak)) for k in range(looks))
        for peak in peak_S
    )
    twins = {seed: tuple(Look(k, float(k), reward=float(k), outlier_share=0.0)
                         for k in range(looks)) for seed in range(seeds)}  # fmt: skip
    step_SK = np.tile(np.arange(1.0, looks), (seeds, 1))
    identity = {"world": 0, "proxy": "single", "noise": "0"}
    runs = SeenRuns("toy", "rloo", identity, tuple(range(seeds)), budgets, step_SK, looks_S, twins)
    found = scored(runs, "mahalanobis", CONTROL, "energy-loss", "kl-threshold")
    by_name = {one.monitor: one for one in found.scores}
    knows, control = by_name["mahalanobis"], by_name[CONTROL]
    assert knows.verdict == "better" and control.verdict == "control"
    assert knows.regret is not None and control.regret is not None
    assert knows.regret.mean == pytest.approx(found.own_best.mean, abs=0.05)
    assert knows.regret.mean < control.regret.mean - 1.0
    assert knows.twins is not None and control.twins is not None
    assert (knows.twins.rang.hits, knows.twins.rang.n) == (0, 8)
    assert control.twins.rang.hits == 8 and (control.twins.forgone.mean or 0.0) > 0.0
    assert by_name["energy-loss"].missing == ("energy_loss",)
    assert "not measured: energy_loss" in by_name["energy-loss"].verdict
    assert found.twins_end_highest is not None and found.twins_end_highest.hits == 8


def test_a_share_has_the_interval_of_clopper_and_pearson() -> None:
    none = share(0, 5)
    assert none.low == 0.0 and none.high == pytest.approx(1 - 0.025 ** (1 / 5))
    assert share(5, 5).low == pytest.approx(0.025 ** (1 / 5))


def test_the_command_scores_stored_runs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score_stored([folder], [], tmp_path / "out", as_json=False) == 0
    told = capsys.readouterr().out
    assert "since the runs do not hold it: energy-loss (energy_loss), ensemble-spread (spr" in told
    assert "kl-threshold" in told and "5/5" in told
    assert max(map(len, told.split("not scored")[0].splitlines()[:10])) <= 80
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"monitors.csv", "monitors.json", "monitors.png", "monitors.pdf"}
    table = pd.read_csv(tmp_path / "out" / "monitors.csv")
    assert set(table["monitor"]) >= {"mahalanobis", CONTROL}
    shutil.copytree(folder, tmp_path / "copy")  # the same runs are scored once
    assert (
        score_stored([folder, tmp_path / "copy"], ["mahalanobis"], tmp_path / "out", as_json=True)
        == 0
    )
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["monitor"] for row in sorted(rows, key=lambda row: row["monitor"])] == [
        CONTROL, "mahalanobis",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text.replace("0.01", "nan", 1), "finite"),
        (lambda text: text.replace("outlier_share", "outliers", 1), "lacks outlier_share"),
        (lambda text: text + "0,single,0\n", "cells where the header"),
    ],
)
def test_a_damaged_table_is_refused_in_one_sentence(
    folder: Path, tmp_path: Path, damage: object, told: str
) -> None:
    copy = tmp_path / "step-0a1b2c3d"
    shutil.copytree(folder, copy)
    path = copy / SIGNALS_FILE
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    with pytest.raises(UserError, match=told):
        see_run(read_run(copy))


def test_without_gold_by_prompt_intervals_are_over_seeds(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "step-0a1b2c3d"
    shutil.copytree(folder, copy)
    (copy / "prompts.parquet").unlink()
    (runs,), _ = see_run(read_run(copy))
    found = scored(runs, "kl-threshold", CONTROL)
    assert not runs.by_prompt and "over seeds alone" in gold_sentence(found)
    gain_S = runs.budgets.gold_SKB[:, -1, 0]
    by_seeds = t_interval(gain_S)
    assert found.peak.end.gold.mean == pytest.approx(by_seeds.mean)
    assert found.peak.end.gold.se == pytest.approx(by_seeds.se)
    assert found.peak.end.gold.df == pytest.approx(len(gain_S) - 1)


def test_runs_that_cannot_be_scored_say_why(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "step-0a1b2c3d"
    shutil.copytree(folder, copy)
    for name in ("contrasts.csv", "budgets.csv", "prompts.parquet"):
        (copy / name).unlink()
    points = pd.read_csv(copy / "points.csv", dtype=str, keep_default_na=False)
    points[points["seed"] == "1"].to_csv(copy / "points.csv", index=False)
    with pytest.raises(UserError, match="limits are set on other seeds, and it has one only"):
        score_stored([copy], ["kl-threshold"], tmp_path / "out", as_json=False)


def test_false_alarms_of_twins_that_lack_a_signal_are_told_and_not_dropped(folder: Path) -> None:
    (runs,), _ = see_run(read_run(folder))
    blind = tuple(look._replace(outlier_share=None) for look in runs.twins[0])
    found = scored(runs._replace(twins={**runs.twins, 0: blind}), "mahalanobis", "kl-threshold")
    (one, other) = found.scores
    assert one.twins is not None and one.twins.rang.n == 4
    assert (one.twins_missing, other.twins_missing) == (("outlier_share",), ())
    assert any("mahalanobis (outlier_share)" in told for told in remarks_of(found))
    whole = scored(runs, "mahalanobis")
    assert not any("twins" in told for told in remarks_of(whole))
