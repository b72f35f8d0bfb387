"""Fits and scores of groups drawn from known laws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overopt.report.fits import fit_group, fit_table
from overopt.report.groups import group_points, group_results
from overopt.report.scoring import score_table, yardsticks
from overopt.report.stored.points import add_labels, check_points
from overopt.report.stored.reading import read_results
from overopt.report.stored.results import Results
from overopt.report.tables.scores import show_fits
from overopt.spec.columns import POINT_COLUMNS
from overopt.stats.fits.forms import Form
from overopt.stats.scores import Range, area_beside_oracle


def exact_points(seeds: int = 5, upto_nats: float = 25.0) -> pd.DataFrame:
    """Gold d (2 - (0.4 + seed / 100) d) exactly, proxy d, at nine KLs."""
    rows = [
        {
            "task": "t", "world": 0, "gold": "g", "method": "m", "proxy": "p", "noise": "0",
            "seed": seed, "kl_target_nats": d * d or None, "kl_nats": d * d, "kl_estimator": "rb",
            "gold_mean": d * (2.0 - (0.4 + seed / 100) * d), "proxy_mean": 2.0 * d, "status": "ok",
        }
        for seed in range(seeds)
        for d in np.linspace(0.0, np.sqrt(upto_nats), 10).tolist()
    ]  # fmt: skip
    return add_labels(check_points(pd.DataFrame(rows, columns=list(POINT_COLUMNS)), "points"))


def test_a_known_law_is_recovered_and_preferred() -> None:
    (group,) = group_points(exact_points())
    table = {str(row["form"]): row for row in fit_table(fit_group(group)).to_dict("records")}
    assert set(table) == set(Form)
    bon, rl = table["bon"], table["rl"]
    assert bon["a"] == pytest.approx(2.0)
    assert bon["b"] == pytest.approx(0.42)
    peaks = [2.0 / (2 * (0.4 + seed / 100)) for seed in range(5)]
    assert bon["peak_d"] == pytest.approx(np.mean(peaks))
    assert bon["peak_d_low"] < bon["peak_d"] < bon["peak_d_high"]
    assert bon["peak_seeds"] == 5
    for split in ("with_peak", "before_peak"):
        assert bon[f"{split}_rmse"] < 1e-9 < rl[f"{split}_rmse"]
        # the peaks of these curves are at the same budget, so that all are cut alike
        assert rl[f"{split}_constant_rmse"] == bon[f"{split}_constant_rmse"] > 0.1
        assert bon[f"{split}_gain_low"] > 0
        assert (bon[f"{split}_seeds"], bon[f"{split}_note"]) == (5, "")
    assert rl["rmse"] > 0.01


def test_a_peak_out_of_range_is_said_and_not_extrapolated() -> None:
    (group,) = group_points(exact_points(upto_nats=2.0))
    bon = fit_table(fit_group(group, [Form.BON])).iloc[0]
    assert bon["peak"] == "no peak in range"
    assert bon["peak_seeds"] == 0
    assert pd.isna(bon["peak_d"])


def test_too_few_points_give_no_fit_and_a_reason() -> None:
    points = exact_points()
    (group,) = group_points(points[points["kl_nats"] < 1.3])  # initial policy and two points
    rows = fit_table(fit_group(group))
    assert rows["a"].isna().all()
    assert set(rows["seeds"]) == {0}
    needed = {"bon": 3, "rl": 3, "log1p": 3, "quadratic_kl": 3, "power": 4, "quadratic_d": 4}
    for row in rows.to_dict("records"):
        reason = f"form {row['form']} needs {needed[row['form']]} points with d > 0, got 2"
        assert row["note"] == f"seeds 0, 1, 2, 3, 4: {reason}"


def test_seeds_without_a_fit_or_a_split_are_named() -> None:
    points = exact_points()
    short = (points["seed"] == 1) & (points["kl_nats"] > 1.3)
    rising = (points["seed"] == 2) & (points["kl_nats"] > 6.0)  # its points end at the peak
    (group,) = group_points(points[~short & ~rising])
    bon = fit_table(fit_group(group, [Form.BON])).iloc[0]
    few = "seed 1: form bon needs 3 points with d > 0, got 2"
    assert (bon["seeds"], bon["seeds_run"], bon["note"]) == (4, 5, few)
    assert bon["with_peak_seeds"] == 3
    assert bon["with_peak_note"] == "seeds 1, 2: no points beyond the peak"
    assert bon["before_peak_seeds"] == 4
    assert bon["before_peak_note"] == "seed 1: form bon needs 3 points with d > 0, got 1"
    shown = show_fits(fit_table(fit_group(group, [Form.BON]))).rows[0][-1]
    assert shown.startswith(f"{few}; peak fitted: seeds 1, 2: no points beyond the peak")


def test_delta_aicc_is_zero_for_the_best_form_of_each_group(run_root: Path) -> None:
    groups = group_points(read_results([run_root]).points)
    table = fit_table([one for group in groups for one in fit_group(group)])
    best = table.groupby(["method", "proxy", "noise"])["delta_aicc"].min()
    assert (best == 0.0).all()
    two = table[table["form"].isin(["bon", "rl"])]
    preferred = two.loc[two.groupby(["method", "proxy", "noise"])["aicc"].idxmin()]
    assert set(preferred[preferred["method"] == "ipo"]["form"]) == {"rl"}


def test_scores_know_the_oracle_and_the_missing_seed(run_root: Path) -> None:
    results = read_results([run_root])
    measures = yardsticks(results)
    yardstick = measures["reviews", 0]
    groups = group_results(results)
    table = score_table(groups, measures, [one for g in groups for one in fit_group(g)])
    cells = {(r["method"], r["proxy"], r["noise"]): r for r in table.to_dict("records")}
    row = cells["ipo", "single", "0.25"]
    assert (row["seeds"], row["seeds_run"], row["failed_seeds"]) == (4, 5, 1)
    assert bool(row["exploratory"])
    assert 0.0 < row["hypervolume"] < 1.0
    assert row["hypervolume_kl_max_nats"] == 32.0
    # not every seed was measured, so that nothing is called a peak or an end
    assert pd.isna(row["gold_at_peak"]) and pd.isna(row["gold_at_end"])
    assert row["places_note"] == "no peak or end: 4 of 5 seeds were measured"
    whole = cells["bon", "single", "0.25"]
    assert whole["gold_at_end"] < whole["gold_at_peak"]
    assert yardstick.oracle is not None
    best = np.interp(whole["kl_at_peak_nats"], yardstick.oracle.kl_K, yardstick.oracle.gold_K)
    assert whole["regret_at_peak"] == pytest.approx(best - whole["gold_at_peak"])
    assert whole["regret_at_peak_high"] == pytest.approx(best - whole["gold_at_peak_low"])
    assert whole["gamma_form_by"] == "held-out error"
    for name in ("gamma", "gamma_trapezoid", "hypervolume", "area_from_peak"):
        assert whole[f"{name}_seeds"] == 5, name
    (group,) = (g for g in groups if (g.method, g.proxy, g.noise) == ("bon", "single", "0.25"))
    shares = [
        area_beside_oracle(
            seed.kl_nats_K,
            seed.gold_K,
            yardstick.oracle,
            Range(
                whole["kl_at_peak_nats"],
                seed.kl_nats_K[seed.target_K == whole["kl_target_at_end_nats"]].item(),
            ),
        )
        for seed in group.seeds
    ]
    assert whole["area_from_peak"] == pytest.approx(np.mean([share or 0.0 for share in shares]))


def test_without_an_oracle_regret_and_hypervolume_are_missing() -> None:
    points = exact_points()
    results = Results(runs=(), points=points, versions=())
    groups = group_points(points)
    fits = [one for group in groups for one in fit_group(group)]
    row = score_table(groups, yardsticks(results), fits).iloc[0]
    assert (row["gamma_form"], row["gamma_form_by"]) == ("bon", "held-out error")
    assert pd.isna(row["area_from_peak"])
    assert pd.isna(row["hypervolume"])
    assert pd.isna(row["regret_at_peak"])
    assert row["gold_at_end"] == pytest.approx(5.0 * (2.0 - 0.42 * 5.0))


def test_a_seed_without_scores_is_named() -> None:
    points = exact_points()
    points.loc[points["seed"] == 3, "proxy_mean"] = np.nan
    low = points["seed"] == 1
    points.loc[low, "gold_mean"] = -points.loc[low, "gold_mean"].abs()
    groups = group_points(points)
    results = Results(runs=(), points=points, versions=())
    fits = [one for group in groups for one in fit_group(group)]
    row = score_table(groups, yardsticks(results), fits).iloc[0]
    assert (row["seeds"], row["seeds_run"]) == (4, 5)
    assert row["left_out"] == "seed 3: no proxy was measured beyond the initial policy"
    assert (row["gamma_seeds"], row["gamma_trapezoid_seeds"]) == (3, 3)
    assert row["gamma_note"] == "seed 1: gold has no area above the initial policy"
