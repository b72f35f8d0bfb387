"""Means over worlds: equal weights, intervals across worlds, and only lines of the same worlds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overopt.report.across_worlds import NOT_STORED, across_worlds
from overopt.report.groups import group_points, group_results
from overopt.report.stored.points import add_labels, check_points
from overopt.report.stored.reading import read_results
from overopt.report.tables.peaks import summarize
from overopt.spec.columns import POINT_COLUMNS, WORLD_COLUMNS
from overopt.stats.students_t import t_half_width

from .synthetic import write_runs

KL_NATS = (0.0, 1.0, 4.0)


def points(lines: dict[str, dict[int, float]], seeds: int = 2) -> pd.DataFrame:
    """Gold = slope x d: proxy -> world -> slope; seeds differ by their number / 10."""
    rows = [
        {
            "task": "t", "world": world, "gold": "g", "method": "m", "proxy": proxy, "noise": "0",
            "seed": seed, "kl_target_nats": kl or None, "kl_nats": kl, "kl_estimator": "rb",
            "gold_mean": (slope + seed / 10) * np.sqrt(kl), "gold_gain_se": 0.0 * kl,
            "proxy_mean": kl, "n_prompts": 8, "status": "ok",
        }
        for proxy, slopes in lines.items()
        for world, slope in slopes.items()
        for seed in range(seeds)
        for kl in KL_NATS
    ]  # fmt: skip
    return add_labels(check_points(pd.DataFrame(rows, columns=list(POINT_COLUMNS)), "points"))


def test_a_mean_over_worlds_has_the_interval_across_them() -> None:
    groups = group_points(points({"p": {0: 1.0, 1: 2.0, 5: 6.0}}))
    assert [group.titled for group in groups] == ["m, world 0", "m, world 1", "m, world 5"]
    (line,) = across_worlds(groups)
    assert (line.titled, line.worlds, line.n_seeds) == ("m", (0, 1, 5), 6)
    assert [part.world for part in line.parts] == [0, 1, 5]
    assert line.exploratory, "six seeds, but two in each world"
    assert line.identity["world"] == "0 1 5"
    end = line.means["gold"][-1]
    means = 2.0 * (np.array([1.0, 2.0, 6.0]) + 0.05)
    assert (end.kl_target_nats, end.kl_nats, end.score.n_seeds) == (4.0, 4.0, 6)
    assert end.score.mean == pytest.approx(means.mean())
    half = t_half_width(float(means.std(ddof=1) / np.sqrt(3)), 2, 0.95)
    assert end.score.high == pytest.approx(means.mean() + half)
    assert end.score.over == "worlds"
    assert line.is_whole(end)


def test_two_worlds_have_an_interval_within_them() -> None:
    (line,) = across_worlds(group_points(points({"p": {0: 1.0, 1: 2.0}})))
    score = line.means["gold"][-1].score
    assert score.over == "these worlds"
    assert score.low is not None and score.high is not None
    assert score.high - score.low < 1.0 < t_half_width(1.0, 1, 0.95)


def test_a_task_of_one_world_keeps_its_groups() -> None:
    groups = group_points(points({"p": {3: 1.0}, "q": {3: 2.0}}))
    assert across_worlds(groups) == groups
    assert [group.titled for group in groups] == ["m", "m"]


def test_lines_side_by_side_are_of_the_same_worlds() -> None:
    groups = group_points(points({"p": {0: 1.0, 1: 2.0, 2: 3.0}, "q": {0: 5.0}}))
    shown = {(line.titled, line.proxy): line for line in across_worlds(groups)}
    assert set(shown) == {("m, worlds 0, 1, 2", "p"), ("m, world 0", "p"), ("m, world 0", "q")}
    assert shown["m, world 0", "p"].means["gold"][-1].score.mean == pytest.approx(2.1)
    assert shown["m, worlds 0, 1, 2", "p"].means["gold"][-1].score.mean == pytest.approx(4.1)


def test_a_seed_that_is_missing_in_one_world_is_missing_in_the_mean() -> None:
    table = points({"p": {0: 1.0, 1: 2.0, 2: 3.0}})
    late = (table["world"] == 1) & (table["seed"] == 1) & (table["kl_nats"] == 4.0)
    (line,) = across_worlds(group_points(table[~late]))
    assert [line.is_whole(mean) for mean in line.means["gold"]] == [True, True, False]
    assert line.means["gold"][-1].score.n_seeds == 5


def test_peak_and_end_over_worlds_are_those_that_were_stored(tmp_path: Path) -> None:
    for world in (0, 1, 2):
        write_runs(tmp_path / f"run{world}", ["dpo"], ["single"], world=world)
    apart = across_worlds(group_results(read_results([tmp_path])))
    assert {line.places.note for line in apart} == {NOT_STORED}
    joined = tmp_path / "several"
    folders = [next((tmp_path / f"run{world}").rglob("run.json")).parent for world in (0, 1, 2)]
    joined.mkdir()
    for name in ("points.csv", "contrasts.csv", "budgets.csv"):
        tables = [pd.read_csv(folder / name, dtype=str) for folder in folders]
        pd.concat(tables).to_csv(joined / name, index=False)
    (joined / "run.json").write_text((folders[0] / "run.json").read_text())
    table = pd.read_csv(joined / "contrasts.csv", dtype={"noise": str})
    rows = [
        {
            **{name: row[name] for name in ("proxy", "noise", "proxy_start", "proxy_width",
                                            "comparisons")},
            "worlds": 3, "seeds": 15, "peak_kl_target_nats": 2.0, "peak_kl_nats": 2.1,
            "peak_gold": 0.5, "peak_gold_across_low": 0.1, "peak_gold_across_high": 0.9,
            "peak_gold_within_low": 0.4, "peak_gold_within_high": 0.6,
            "end_kl_target_nats": 32.0, "end_kl_nats": 31.0, "end_gold": -0.2,
            "end_gold_across_low": -0.6, "end_gold_across_high": 0.2,
            "end_gold_within_low": -0.3, "end_gold_within_high": -0.1,
            "fall": -0.7, "fall_across_low": -1.0, "fall_across_high": -0.4,
            "fall_within_low": -0.8, "fall_within_high": -0.6,
            "over": "worlds", "rises": True, "falls": True,
        }
        for row in table[table["world"] == 0].to_dict("records")
    ]  # fmt: skip
    pd.DataFrame(rows, columns=list(WORLD_COLUMNS)).to_csv(joined / "worlds.csv", index=False)
    lines = across_worlds(group_results(read_results([joined])))
    told = {(line.proxy, line.noise): line.places for line in lines}
    assert told and all(places.verdict == "rises, then falls" for places in told.values())
    alone = read_results([tmp_path / "run0", joined])  # its rows stand in both runs, and count once
    assert [line.places.verdict for line in across_worlds(group_results(alone))] == [
        places.verdict for places in told.values()
    ]
    place = next(iter(told.values())).peak
    assert place is not None
    assert (place.kl_target_nats, place.gold.low, place.gold.high) == (2.0, 0.1, 0.9)
    shown = summarize(lines)
    assert {row[3] for row in shown.rows} == {"15/15"}
    assert "Means over 3 worlds" in shown.note
