"""Best-of-n on pools written by hand, against every subset that could have been drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from overopt.artifacts.listing import Listing
from overopt.artifacts.points import Pool
from overopt.artifacts.scores import fingerprint
from overopt.artifacts.tables import Table, read_json, write_json, write_table
from overopt.catalog.systems import method
from overopt.engines import selection as engine
from overopt.engines.method.selection import OpenedSelection
from overopt.engines.selection import Selection
from overopt.execution.contract import silent
from overopt.methods.contract.selection import samples_of_reference
from overopt.methods.selection import bon
from overopt.run.written.csv_text import to_csv
from overopt.spec.columns import POINT_COLUMNS
from overopt.stages import select
from overopt.stages.select import draw, selection_point, sum_listed

from .hand_made import SINGLE, WORLD, ids, texts, write_pool, write_scores

BEST = Selection(OpenedSelection(bon, bon.Config()), lambda: np.random.default_rng(0))
SAMPLES = 6
GOLD_BN = np.array([[0.0, 1.0, 1.0, -2.0, 3.0, 0.5], [2.0, -1.0, 0.0, 0.0, 1.0, 4.0]])
PROXY_BN = np.array([[1.0, 2.0, 2.0, 0.0, -1.0, 5.0], [3.0, 3.0, 3.0, 1.0, 0.0, 2.0]])
SAMPLED = samples_of_reference(PROXY_BN)
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
    weight_BN = BEST.weights(SAMPLED, float(n))
    drawn = draw(weight_BN, 4, np.random.default_rng(0))
    return selection_point(POOL, weight_BN, BEST.kl(SAMPLED, float(n)), drawn)


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


def test_kl_entropy_and_sample_size_by_hand() -> None:
    weight_BN = np.array([[0.5, 0.5, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0]])
    kl_B = np.array([0.6, 1.0])
    point = selection_point(POOL, weight_BN, kl_B, draw(weight_BN, 2, np.random.default_rng(0)))
    assert (point["kl_nats"], point["kl_estimator"]) == (0.8, "pool")
    assert point["kl_pool_nats"] == 0.8
    assert point["kl_se"] == point["kl_pool_se"] == pytest.approx(0.2)
    # -E log pi_ref - KL: 1.5 - .6 and 7 - 1
    assert point["entropy_nats"] == pytest.approx((0.9 + 6.0) / 2)
    assert point["ess"] == pytest.approx(4 / 3)  # sums of squares 1/2 and 1
    assert point["gold_raw_mean"] == pytest.approx((0.5 + 2.0) / 2)


def test_the_kl_of_best_of_two_knows_ties() -> None:
    # prompt 0: F = 1/6, 2/6, 3/6, 5/6, 1; prompt 1: 1/6, 2/6, 3/6, 1
    kl_0 = sum(p * math.log(p / q) for p, q in _picked([1, 2, 3, 5, 6], 2))
    kl_1 = sum(p * math.log(p / q) for p, q in _picked([1, 2, 3, 6], 2))
    assert _point(2)["kl_nats"] == pytest.approx((kl_0 + kl_1) / 2)
    assert kl_1 < math.log(2) - 0.5


def _picked(counts: list[int], n: int) -> list[tuple[float, float]]:
    """Of each tie group, its probability under best of n and under the pool of six."""
    edges = [0.0, *(count / 6 for count in counts)]
    return [(high**n - low**n, high - low) for low, high in pairwise(edges)]


def test_exact_values_by_hand() -> None:
    reference_BR = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
    listing = Listing(reference_BR, np.zeros((2, 3)), np.array([[1.0, 0.0, 5.0], [0.0, 1.0, 2.0]]))
    exact = sum_listed(listing, np.array([[0.0, 0.0, 1.0], [0.2, 0.2, 0.6]]))
    assert exact.kl_B == pytest.approx([math.log(5), 0.0])
    assert exact.gold_B == pytest.approx([5.0, 1.4])
    assert exact.start_B == pytest.approx([1.5, 1.4])


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


def test_ranking_and_distinct_n_come_from_the_drawn_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    weight_BN = np.array([[0.5, 0.5, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0, 0]])
    drawn = np.array([0, 1, 0, 6, 7, 7])
    point = selection_point(POOL, weight_BN, np.full(2, 0.1), drawn)
    # Prompt 0: gold 0 < 1 as proxy 1 < 2: right. Prompt 1: gold 2 > -1, proxies tied: half.
    assert point["auroc"] == pytest.approx(0.75)
    # two effective samples for three that are drawn: repetition that the policy would not have
    assert "distinct_1" not in point and "distinct_2" not in point
    monkeypatch.setattr(select, "FRESH", 0.5)
    point = selection_point(POOL, weight_BN, np.full(2, 0.1), drawn)
    assert point["distinct_1"] == pytest.approx((1 / 1 + 1 / 8) / 2)  # words 4 | 44 444 444


@pytest.fixture
def run_select(tmp_path: Path) -> Callable[..., Path]:
    """Runs the stage on the pool above, with raw gold = 2 + 2 gold."""
    raw = (2 + 2 * GOLD_BN).ravel().tolist()
    pool = write_pool(tmp_path / "pool", texts(WORDS), raw, LOGP_BN.ravel().tolist())
    scores = write_scores(
        tmp_path / "scores", ids(2, SAMPLES), texts(WORDS), PROXY_BN.ravel().tolist()
    )

    def run(name: str, grid: list[float], seed: int = 0, by: str = "bon", **beside: Path) -> Path:
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
        select.run(params, {"pool": pool, "score.pool.0": scores, **beside}, out, silent)
        return out

    return run


def test_the_stage_writes_points_prompts_and_excerpts(run_select: Callable[..., Path]) -> None:
    # with the ties of both prompts the KL is .176, .384, .541, .657, .745 at n = 2 .. 6
    out = run_select("out", [0.2, 0.74, 3.0])
    points = read_json(out / "points.json")
    assert [p.get("knob_value") for p in points] == [None, 2, 3, 6, None]
    assert [p.get("kl_target_nats") for p in points] == [None, 0.2, None, 0.74, 3.0]
    assert [p["status"] for p in points] == ["ok"] * 4 + ["unreached"]
    assert points[2]["gold_mean"] == pytest.approx(_brute_force(GOLD_BN, 3).mean())
    assert points[3]["samples_drawn"] == 2 * 6
    assert points[3]["gradient_steps"] == points[3]["tokens_processed"] == 0
    assert points[3]["proxy_mean"] == pytest.approx((5 + 3) / 2 - PROXY_BN.mean())
    to_csv(POINT_COLUMNS, points)
    table = Table(out / "prompts.parquet")
    assert table.integers("point").tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert table.floats("gold")[4:6] == pytest.approx(_brute_force(GOLD_BN, 3))
    shown = read_json(out / "excerpts.json")
    assert {excerpt["kl_nats"] for excerpt in shown} == {points[3]["kl_nats"]}
    assert all(excerpt["proxy_hacked"] in (5 - 1.75, 3 - 1.75) for excerpt in shown)


def test_what_a_method_trains_beside_the_pool_counts_at_every_place(
    run_select: Callable[..., Path], tmp_path: Path
) -> None:
    novelty = tmp_path / "novelty"
    novelty.mkdir()
    columns = {**ids(2, SAMPLES), "fingerprint": fingerprint(texts(WORDS))}
    write_table(novelty / "pool.parquet", {**columns, "novelty": np.arange(2.0 * SAMPLES)})
    spent = {"gradient_steps": 7, "samples_drawn": 100, "tokens_processed": 5000, "loss": [[1.0]]}
    write_json(novelty / "novelty.json", spent)
    out = run_select("out", [0.2, 0.5], by="caution", novelty=novelty)
    met = [one for one in read_json(out / "points.json") if one.get("knob_value")]
    assert len(met) >= 2
    for point in met:
        assert (point["gradient_steps"], point["tokens_processed"]) == (7, 5000)
        assert point["samples_drawn"] == 100 + 2 * point["knob_value"]


def test_a_method_without_a_bound_has_none(
    run_select: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SMALLEST_ESS", 1.5)
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
    first, second = (run_select(name, [0.2, 0.7]) for name in ("one", "two"))
    for name in ("points.json", "prompts.parquet", "excerpts.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_pool_too_small_for_every_budget_still_has_its_origin(
    run_select: Callable[..., Path],
) -> None:
    out = run_select("out", [5.0])
    points = read_json(out / "points.json")
    assert [p["status"] for p in points] == ["ok", "unreached"]
    assert read_json(out / "excerpts.json") == []


TUNE = "\n\ndef tune(config, pool, gold_BN):\n    return 3.0 if gold_BN.max() > 3.5 else 2.0\n"


def test_a_method_that_tunes_itself_stops_there(
    run_select: Callable[..., Path], tmp_path: Path
) -> None:
    text = Path(str(bon.__file__)).read_text(encoding="utf-8")
    own = tmp_path / "mine.py"
    own.write_text(text.replace('USES_GOLD = "none"', 'USES_GOLD = "selection"') + TUNE)
    out = run_select("out", [0.2, 0.74], by=str(own))
    # the first prompt by gold of the second, whose best is 4; the second by that of the first, 3
    assert read_json(out / "tuned.json") == {"knob": [3.0, 2.0]}
    points = read_json(out / "points.json")
    assert [p.get("knob_value") for p in points] == [None, 2, 3, None]
    assert [p.get("kl_target_nats") for p in points] == [None, 0.2, None, 0.74]
    assert points[-1]["status"] == "unreached"
    two, three = _brute_force(GOLD_BN, 2), _brute_force(GOLD_BN, 3)
    assert points[1]["gold_mean"] == pytest.approx(two.mean())
    assert points[2]["gold_mean"] == pytest.approx((three[0] + two[1]) / 2)
    assert points[2]["samples_drawn"] == 3 + 2
    assert not (run_select("free", [0.2]) / "tuned.json").exists()
