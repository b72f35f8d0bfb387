"""Best-of-n on pools written by hand, against every subset that could have been drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from overopt.artifacts.points import Pool
from overopt.artifacts.tables import Table, read_json
from overopt.catalog.systems import method
from overopt.execution.contract import silent
from overopt.execution.modules import load_module
from overopt.methods.contract.selection import ScoredPool
from overopt.run.records import to_csv
from overopt.spec.columns import POINT_COLUMNS
from overopt.stages import select
from overopt.stages.select import analytic_places, draw, selection_point, weighed_places
from overopt.stats.listed import kl_listed, uniform

from .hand_made import SINGLE, WORLD, ids, texts, write_pool, write_scores

BON = load_module("overopt.methods.selection.bon")
CONFIG = BON.Config()
SAMPLES = 6
GOLD_BN = np.array([[0.0, 1.0, 1.0, -2.0, 3.0, 0.5], [2.0, -1.0, 0.0, 0.0, 1.0, 4.0]])
PROXY_BN = np.array([[1.0, 2.0, 2.0, 0.0, -1.0, 5.0], [3.0, 3.0, 3.0, 1.0, 0.0, 2.0]])
LOGP_BN = -np.arange(1.0, 13.0).reshape(2, 6)
WORDS = [[4] * (i % 4) for i in range(12)]
POOL = Pool(GOLD_BN, PROXY_BN, LOGP_BN, texts(WORDS), 0.0, 1.0, 0.0)


def _brute_force(values_BN: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    """Per prompt, the mean over all subsets of n of the mean over the subset's proxy winners."""
    means = []
    for b in range(2):
        subsets = []
        for chosen in combinations(range(SAMPLES), n):
            best = max(PROXY_BN[b, i] for i in chosen)
            subsets.append(np.mean([values_BN[b, i] for i in chosen if PROXY_BN[b, i] == best]))
        means.append(np.mean(subsets))
    return np.array(means)


def _point(n: int) -> dict[str, Any]:
    weight_BN = BON.weights(CONFIG, ScoredPool(PROXY_BN), float(n))
    drawn = draw(weight_BN, 4, np.random.default_rng(0))
    return selection_point(POOL, weight_BN, BON.kl_bound_nats(CONFIG, float(n)), drawn)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6])
def test_expectations_are_means_over_all_subsets_with_ties_at_random(n: int) -> None:
    point = _point(n)
    for name, values_BN in (
        ("gold", GOLD_BN),
        ("proxy", PROXY_BN),
        ("length", POOL.responses.length_N.reshape(2, SAMPLES).astype(np.float64)),
    ):
        mean_B = _brute_force(values_BN, n)
        assert point[f"{name}_mean"] == pytest.approx(mean_B.mean()), name
        assert point[f"{name}_se"] == pytest.approx(abs(mean_B[0] - mean_B[1]) / 2), name
    gain_B = _brute_force(GOLD_BN, n) - GOLD_BN.mean(axis=1)
    assert point["gold_gain_se"] == pytest.approx(abs(gain_B[0] - gain_B[1]) / 2)


@pytest.mark.parametrize("n", [1, 2, 6])
def test_win_rate_is_against_the_others_of_the_prompt(n: int) -> None:
    chance_BN = np.array(
        [
            [
                np.mean([(g > h) + (g == h) / 2 for j, h in enumerate(row) if j != i])
                for i, g in enumerate(row)
            ]
            for row in GOLD_BN
        ]
    )
    point = _point(n)
    assert point["win_rate"] == pytest.approx(_brute_force(chance_BN, n).mean())
    if n == 1:
        assert point["win_rate"] == pytest.approx(0.5)


def test_kl_entropy_and_sample_size_of_weights_by_hand() -> None:
    weight_BN = np.array([[0.5, 0.5, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0]])
    point = selection_point(POOL, weight_BN, 0.7, draw(weight_BN, 2, np.random.default_rng(0)))
    assert point["kl_pool_nats"] == pytest.approx((math.log(3) + math.log(6)) / 2)
    assert point["kl_pool_se"] == pytest.approx(math.log(2) / 2)
    assert (point["kl_nats"], point["kl_estimator"], point["kl_bound_nats"]) == (0.7, "bound", 0.7)
    # -E log pi_ref - KL: 1.5 - log 3 and 7 - log 6.
    assert point["entropy_nats"] == pytest.approx((1.5 - math.log(3) + 7 - math.log(6)) / 2)
    assert point["ess"] == pytest.approx(1.5)
    assert point["gold_raw_mean"] == pytest.approx((0.5 + 2.0) / 2)


def test_drawn_rows_have_the_frequencies_of_the_weights() -> None:
    weight_BN = np.array([[0.1, 0.0, 0.6, 0.3], [0.0, 0.0, 0.0, 1.0], [0.25, 0.25, 0.25, 0.25]])
    samples = 40_000
    drawn = draw(weight_BN, samples, np.random.default_rng(0))
    assert drawn.shape == (3 * samples,)
    prompt = drawn // 4
    assert (prompt == np.repeat([0, 1, 2], samples)).all()  # prompt-major, never another's rows
    found_BN = np.bincount(drawn, minlength=12).reshape(3, 4) / samples
    error_BN = np.sqrt(weight_BN * (1 - weight_BN) / samples)
    assert (np.abs(found_BN - weight_BN) <= 4 * error_BN).all()


def test_ranking_and_distinct_n_come_from_the_drawn_rows() -> None:
    weight_BN = np.array([[0.5, 0.5, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0, 0]])
    point = selection_point(POOL, weight_BN, 0.1, np.array([0, 1, 0, 6, 7, 7]))
    # Prompt 0: gold 0 < 1 as proxy 1 < 2: right. Prompt 1: gold 2 > -1, proxies tied: half.
    assert point["auroc"] == pytest.approx(0.75)
    assert point["distinct_1"] == pytest.approx((1 / 1 + 1 / 8) / 2)  # words 4 | 44 444 444


def test_budgets_get_the_nearest_n_and_places_between() -> None:
    # The bound is 0.193, 0.432, 0.636, 0.809, 0.958 at n = 2 .. 6.
    knob = method("bon").knob
    places = analytic_places(BON, CONFIG, knob, [0.2, 0.22, 1.0, 3.0], np.zeros((1, 8)))
    assert places == [(0.2, 2.0), (None, 4.0), (1.0, 6.0), (0.22, None), (3.0, None)]


def test_a_budget_beyond_the_pool_is_unreached() -> None:
    knob = method("bon").knob
    assert analytic_places(BON, CONFIG, knob, [0.2, 1.0], np.zeros((1, 5))) == [
        (0.2, 2.0), (None, 3.0), (1.0, None),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["soft-bon", "itp"])
def test_weights_are_placed_by_their_own_kl_while_enough_samples_count(name: str) -> None:
    found = method(name)
    module = load_module(found.source)
    config = module.Config(**found.config)
    proxy_BN = np.random.default_rng(0).normal(size=(4, 64))
    places = weighed_places(module, config, found.knob, [0.1, 0.4, 3.5], proxy_BN)
    budgets = [place.kl_target_nats for place in places if place.kl_target_nats is not None]
    assert budgets == [0.1, 0.4, 3.5]
    for place, kl_nats in zip(places[:3], [0.1, 0.225, 0.4], strict=True):
        assert place.knob_value is not None
        weight_BN = module.weights(config, ScoredPool(proxy_BN), place.knob_value)
        assert kl_listed(weight_BN, uniform(4, 64)).mean() == pytest.approx(kl_nats, rel=1e-4)
    assert places[-1].knob_value is None  # 3.5 nats of log 64 = 4.2 rest on two samples


@pytest.fixture
def run_select(tmp_path: Path) -> Callable[..., Path]:
    """Runs the stage on the pool above, with raw gold = 2 + 2 gold."""
    raw = (2 + 2 * GOLD_BN).ravel().tolist()
    pool = write_pool(tmp_path / "pool", texts(WORDS), raw, LOGP_BN.ravel().tolist())
    scores = write_scores(
        tmp_path / "scores", ids(2, SAMPLES), texts(WORDS), PROXY_BN.ravel().tolist()
    )

    def run(name: str, grid: list[float], seed: int = 0, by: str = "bon") -> Path:
        out = tmp_path / name
        out.mkdir()
        params = {
            "world": WORLD.to_json(),
            "method": method(by).to_json(),
            "system": SINGLE,
            "kl_grid_nats": grid,
            "samples_per_prompt": 4,
            "seed": seed,
        }
        select.run(params, {"pool": pool, "score.pool.0": scores}, out, silent)
        return out

    return run


def test_the_stage_writes_points_prompts_and_excerpts(run_select: Callable[..., Path]) -> None:
    out = run_select("out", [0.2, 1.0, 3.0])
    points = read_json(out / "points.json")
    assert [p.get("knob_value") for p in points] == [None, 2, 3, 6, None]
    assert [p.get("kl_target_nats") for p in points] == [None, 0.2, None, 1.0, 3.0]
    assert [p["status"] for p in points] == ["ok"] * 4 + ["unreached"]
    assert points[2]["gold_mean"] == pytest.approx(_brute_force(GOLD_BN, 3).mean())
    assert points[3]["samples_drawn"] == 2 * 6
    assert points[3]["proxy_mean"] == pytest.approx((5 + 3) / 2 - PROXY_BN.mean())
    to_csv(POINT_COLUMNS, points)
    table = Table(out / "prompts.parquet")
    assert table.integers("point").tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert table.floats("gold")[4:6] == pytest.approx(_brute_force(GOLD_BN, 3))
    shown = read_json(out / "excerpts.json")
    assert {excerpt["kl_nats"] for excerpt in shown} == {points[3]["kl_nats"]}
    assert all(excerpt["proxy_hacked"] in (5 - 1.75, 3 - 1.75) for excerpt in shown)


def test_a_method_without_an_analytic_kl_reports_its_weights(
    run_select: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "SMALLEST_ESS", 1.5)
    points = read_json(run_select("out", [0.1, 0.4, 5.0], by="soft-bon") / "points.json")
    assert [p.get("kl_target_nats") for p in points] == [None, 0.1, None, 0.4, 5.0]
    assert [p["status"] for p in points] == ["ok"] * 4 + ["unreached"]
    for point, kl_nats in ((points[1], 0.1), (points[3], 0.4)):
        assert point["kl_estimator"] == "pool"
        assert point["kl_nats"] == point["kl_pool_nats"] == pytest.approx(kl_nats, rel=1e-4)
        assert point["kl_se"] == point["kl_pool_se"] > 0
        assert "kl_bound_nats" not in point
        assert 1 < point["ess"] < SAMPLES
        assert point["samples_drawn"] == 2 * SAMPLES
    assert points[3]["knob_value"] < points[1]["knob_value"]
    to_csv(POINT_COLUMNS, points)


def test_the_stage_is_deterministic(run_select: Callable[..., Path]) -> None:
    first, second = (run_select(name, [0.2, 1.0]) for name in ("one", "two"))
    for name in ("points.json", "prompts.parquet", "excerpts.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_pool_too_small_for_every_budget_still_has_its_origin(
    run_select: Callable[..., Path],
) -> None:
    out = run_select("out", [5.0])
    points = read_json(out / "points.json")
    assert [p["status"] for p in points] == ["ok", "unreached"]
    assert read_json(out / "excerpts.json") == []
