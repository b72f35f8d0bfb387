"""Rank correlation of proxies between two folders: by hand, planted, and as a user meets it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from overopt.commands.compare import compare as compare_command
from overopt.errors import UserError
from overopt.report.comparison.transfer import compare_transfer
from overopt.report.comparison.transfer_screen import tell_transfer
from overopt.report.stored.selection import EVERYTHING, Selection
from overopt.stats.comparisons.rank_transfer import rank_correlation, tau_b

from .drawn import write_run

HERE = {"single": 0.2, "mean": 0.6, "wco": 1.0, "uwo": 1.4, "lse": 1.8, "warm": 2.2}


def folder(root: Path, heights: Mapping[str, float], **more: Any) -> Path:
    for proxy, height in heights.items():
        write_run(root, "bon", height, proxy=proxy, name=f"knob-{proxy}", **more)
    return root


def test_tau_is_that_of_scipy_with_ties_and_by_hand() -> None:
    # pairs: 1-2 agree, 1-3 agree, 2-3 tied in y: 2 of root(3 x 2)
    assert tau_b(np.array([1.0, 2, 3]), np.array([5.0, 6, 6])) == pytest.approx(2 / 6**0.5)
    rng = np.random.default_rng(0)
    for _ in range(20):
        x_R, y_R = rng.integers(0, 4, 7).astype(float), rng.integers(0, 4, 7).astype(float)
        if np.ptp(x_R) and np.ptp(y_R):
            assert tau_b(x_R, y_R) == pytest.approx(kendalltau(x_R, y_R).statistic)
    assert tau_b(np.ones(4), np.arange(4.0)) is None


def test_the_interval_is_narrow_where_seeds_agree_and_wide_where_they_are_chance() -> None:
    rng = np.random.default_rng(1)
    truth_R1 = np.arange(8.0)[:, None]
    sure = rank_correlation(truth_R1 + 0.01 * rng.standard_normal((8, 5)), truth_R1, rng)
    assert (sure.tau, sure.low, sure.high) == (1.0, 1.0, 1.0)
    assert sure.p is not None and sure.p < 0.001
    chance = rank_correlation(rng.standard_normal((8, 5)), rng.standard_normal((8, 5)), rng)
    assert chance.low is not None and chance.high is not None
    assert chance.low < 0 < chance.high and chance.high - chance.low > 0.5


def test_intervals_hold_the_true_tau_and_p_is_seldom_small_by_chance() -> None:
    """100 studies of 10 rows each: with correlation .7, and with none."""
    rng, held, small = np.random.default_rng(2), 0, 0
    for _ in range(100):
        pair_R2 = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], size=10)
        found = rank_correlation(pair_R2[:, :1], pair_R2[:, 1:], rng, resamples=200)
        assert found.low is not None and found.high is not None
        held += found.low <= 2 / np.pi * np.arcsin(0.7) <= found.high
        none = rank_correlation(rng.normal(size=(10, 1)), rng.normal(size=(10, 1)), rng,
                                resamples=1)  # fmt: skip
        small += none.p is not None and none.p <= 0.05
    assert held >= 88
    assert small <= 12


@pytest.mark.parametrize(("seeds", "noise"), [(3, 0.5), (5, 1.0)])
def test_intervals_hold_the_true_tau_with_few_noisy_seeds(seeds: int, noise: float) -> None:
    """100 studies of 8 rows with correlation .7; drawing seeds alone holds in some 80 to 85."""
    rng, held = np.random.default_rng(4), np.zeros(2)
    for _ in range(100):
        true_2R = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], size=8).T
        x_RS, y_RS = true_2R[:, :, None] + noise * rng.standard_normal((2, 8, seeds))
        found = rank_correlation(x_RS, y_RS, rng, resamples=80)
        assert found.low is not None and found.high is not None
        of_these = tau_b(*true_2R)
        assert of_these is not None
        for place, tau in enumerate((2 / np.pi * np.arcsin(0.7), of_these)):
            held[place] += found.low <= tau <= found.high
    assert held.min() >= 93


def test_too_few_rows_and_equal_rows_have_no_tau() -> None:
    rng = np.random.default_rng(3)
    assert rank_correlation(np.ones((2, 3)), np.ones((2, 3)), rng).tau is None
    assert rank_correlation(np.ones((5, 3)), rng.normal(size=(5, 3)), rng).tau is None
    with pytest.raises(ValueError, match="same rows"):
        rank_correlation(np.ones((4, 3)), np.ones((5, 3)), rng)


def test_the_same_order_elsewhere_is_found_and_the_reverse_too(tmp_path: Path) -> None:
    here = folder(tmp_path / "here", HERE)
    same = folder(tmp_path / "same", {name: 0.1 + 2 * gold for name, gold in HERE.items()})
    turned = folder(tmp_path / "turned", {name: 3 - gold for name, gold in HERE.items()})
    (up,) = compare_transfer([here], same, 4.0)
    (down,) = compare_transfer([here], turned, 4.0)
    assert up.correlation.tau == 1.0 and down.correlation.tau == -1.0
    assert [one.proxy for one in up.systems] == sorted(HERE)
    single = next(one for one in up.systems if one.proxy == "single")
    assert single.here_S.mean() == pytest.approx(2 * 0.2, abs=0.35) and len(single.here_S) == 5
    assert "Kendall's tau-b 1.00 over 6 proxies" in tell_transfer(up)[0]


def test_gold_is_read_where_all_get_to_and_only_what_both_have_counts(tmp_path: Path) -> None:
    here = folder(tmp_path / "here", HERE)
    there = folder(tmp_path / "there", {**HERE, "grm": 1.0}, reach={0: 2.0})
    (found,) = compare_transfer([here], there, 4.0)
    assert (found.kl_here_nats, round(found.kl_there_nats, 1)) == (4.0, 2.0)
    assert found.left_out == ("grm",)
    chosen = Selection(proxies=("single", "mean"))
    with pytest.raises(UserError, match="3 or more proxies in both folders"):
        compare_transfer([here], there, 4.0, chosen)


def test_a_run_that_leapt_over_the_place_is_refused(tmp_path: Path) -> None:
    here, there = folder(tmp_path / "here", HERE), folder(tmp_path / "there", HERE)
    (table,) = there.rglob("knob-wco/points.csv")
    points = pd.read_csv(table)
    leapt = points["kl_target_nats"].isin([1.0, 2.0])
    points.loc[leapt, ["kl_nats", "gold_mean", "proxy_mean"]] = np.nan
    points.loc[leapt, "status"] = "unreached"
    points.to_csv(table, index=False)
    with pytest.raises(UserError, match="wco has seeds whose first step is to 4 nats and no pol"):
        compare_transfer([here], there, 2.0)
    assert compare_transfer([here], there, 4.0)


def test_several_worlds_are_refused(tmp_path: Path) -> None:
    here = folder(tmp_path / "here", HERE)
    there = folder(tmp_path / "there", HERE, worlds=(0, 1))
    with pytest.raises(UserError, match="one task and one world"):
        compare_transfer([here], there, 4.0)


def test_the_command_prints_a_table_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = folder(tmp_path / "here", HERE), folder(tmp_path / "there", HERE)
    asked = ([here], 4.0, None, "gold-at-kl", EVERYTHING)
    assert compare_command(*asked, False, None, there) == 0
    shown = capsys.readouterr().out
    assert "Gold of proxies under bon, noise 0" in shown and "tau-b 1.00" in shown
    assert compare_command(*asked, True, None, there) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "transfer" and told["tables"][0]["tau"] == 1.0
    with pytest.raises(UserError, match="takes no --out"):
        compare_command(*asked, False, tmp_path / "out", there)
