"""Points of trained policies from artifacts written by hand: two prompts, two samples each."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.points import Pool, initial_point
from overopt.artifacts.tables import Table, read_json, write_json, write_table
from overopt.execution.contract import silent
from overopt.run.written.csv_text import to_csv
from overopt.spec.columns import POINT_COLUMNS
from overopt.stages import measure
from overopt.stages.measure import Samples, policy_point

from .hand_made import SINGLE, WORLD, ids, texts, write_pool, write_scores

POOL_TEXTS = texts([[4, 5], [6], [4, 4, 5], [7]])
TEXTS = texts([[4, 5], [4, 6], [5, 5, 5], []])
EXACT = {"initial": {"gold": [1.0, 3.4]}, "3": {"kl_nats": [0.2, 0.22], "gold": [5.0, 6.0]}}
"""Of two prompts: raw gold, whose mean and SD in the pool are 2, and KL."""
LOG_RATIOS = np.array([0.2, 0.4, 0.1, -0.1])


def _evaluation(folder: Path, steps: tuple[int, ...], exact: dict[str, Any]) -> Path:
    """An ``evaluate`` artifact in which every step has the same samples; KL grows with steps."""
    folder.mkdir(parents=True)
    k = len(steps)
    rows = {name: np.tile(column, k) for name, column in ids(2, 2).items()}
    columns = {
        "step": np.repeat(steps, 4),
        **rows,
        "response": TEXTS.take(np.tile(np.arange(4), k)),
        "gold": np.tile([4.0, 6.0, 4.0, 4.0], k),
        "policy_logp": np.tile(LOG_RATIOS - 2.0, k),
        "reference_logp": np.full(4 * k, -2.0),
        "kl_rb": np.tile([0.1, 0.3, 0.2, 0.4], k) * np.repeat(steps, 4) / 3,
        "entropy": np.tile([1.0, 2.0, 3.0, 4.0], k),
    }
    write_table(folder / "samples.parquet", columns)
    snapshots = [
        {
            "step": step,
            "folder": f"snapshots/{step}",
            "kl_cheap_nats": 0.2,
            "kl_target_nats": 0.25 if step == 3 else None,
            "shared_kl_targets_nats": [0.5] if step == 6 else [],
            "gradient_steps": step,
            "samples_drawn": 10 * step,
            "tokens_processed": 100 * step,
        }
        for step in steps
    ]
    write_json(folder / "optimize.json", {"snapshots": snapshots, "unreached_kl_nats": [9.0]})
    write_json(folder / "exact.json", exact)
    return folder


def _inputs(
    root: Path, steps: tuple[int, ...] = (3,), exact: dict[str, Any] | None = None
) -> dict[str, Path]:
    pool = write_pool(root / "pool", POOL_TEXTS, [0.0, 2.0, 2.0, 4.0], [-1.0, -2.0, -3.0, -4.0])
    scores = [6.0, 8.0, 10.0, 12.0] * len(steps)
    rows = {name: np.tile(column, len(steps)) for name, column in ids(2, 2).items()}
    rows["step"] = np.repeat(steps, 4)
    evaluation = _evaluation(root / "evaluate.0", steps, exact or {})
    every = TEXTS.take(np.tile(np.arange(4), len(steps)))
    return {
        "pool": pool,
        "evaluate.0": evaluation,
        "score.pool.0": write_scores(
            root / "score.pool.0", ids(2, 2), POOL_TEXTS, [1.0, 3.0, 5.0, 7.0]
        ),
        "score.0.0": write_scores(root / "score.0.0", rows, every, scores),
    }


def _measure(inputs: dict[str, Path], out: Path, policy: dict[str, Any], **more: Any) -> Path:
    out.mkdir()
    params = {
        "world": WORLD.to_json(),
        "system": SINGLE,
        "policies": [policy],
        "unreached_kl_nats": [],
        "samples_per_prompt": 2,
        **more,
    }
    measure.run(params, inputs, out, silent)
    return out


def test_every_number_of_a_point_by_hand(tmp_path: Path) -> None:
    out = _measure(_inputs(tmp_path), tmp_path / "out", {"knob_value": 0.1})
    initial, point, unreached = read_json(out / "points.json")
    # In SDs: pool -1, 0 | 0, 1 and policy 1, 2 | 1, 1; with two values the SE is half their gap.
    expected = {
        "gold_mean": 1.25,
        "gold_se": 0.25,
        "gold_gain_se": 0.75,  # gains 2 and 0.5
        "gold_raw_mean": 4.5,
        "kl_nats": 0.25,
        "kl_se": 0.05,
        "kl_rb_nats": 0.25,
        "kl_k1_nats": 0.15,
        "kl_k1_se": 0.15,
        "kl_k2_nats": 0.0275,
        "kl_k2_se": 0.0225,
        "kl_k3_nats": sum(math.exp(-r) - 1 + r for r in LOG_RATIOS) / 4,
        "proxy_mean": 5.0,  # 6, 8 | 10, 12 less the pool's mean of 4
        "proxy_se": 2.0,
        "win_rate": 0.875,  # prompt 0: always; prompt 1: one win and one tie against 0, 1
        "win_rate_se": 0.125,
        "length_mean": 2.75,  # EOS counts: 3, 3 | 4, 1
        "length_se": 0.25,
        "entropy_nats": 2.5,
        "entropy_se": 1.0,
        "distinct_1": (3 / 4 + 1 / 3) / 2,
        "distinct_2": (1 + 1 / 2) / 2,
        "auroc": 1.0,
        "auroc_pooled": 1 / 3,  # gold 1, 2, 1, 1 against proxy 2, 4, 6, 8
        "step": 3,
        "knob_value": 0.1,
        "kl_target_nats": 0.25,
        "n_prompts": 2,
        "n_samples": 4,
        "gradient_steps": 3,
        "samples_drawn": 30,
        "tokens_processed": 300,
    }
    for name, value in expected.items():
        assert point[name] == pytest.approx(value), name
    assert point["auroc_se"] is None  # gold varies within one prompt only
    assert (point["kl_estimator"], point["status"]) == ("rb", "ok")
    assert unreached == {"kl_target_nats": 9.0, "status": "unreached"}
    assert initial["step"] == 0
    to_csv(POINT_COLUMNS, [initial, point, unreached])  # every column is known


def test_exact_values_take_the_place_of_estimates(tmp_path: Path) -> None:
    out = _measure(_inputs(tmp_path, exact=EXACT), tmp_path / "out", {"knob_value": 0.1})
    initial, point, *_ = read_json(out / "points.json")
    # in SDs: initial policy -0.5 | 0.7, policy 1.5 | 2, gains 2 | 1.3
    expected = {
        "kl_nats": 0.21, "kl_se": 0.01, "kl_exact_nats": 0.21, "kl_rb_nats": 0.25,
        "gold_mean": 1.65, "gold_exact": 1.65, "gold_gain_se": 0.35, "gold_se": 0.25,
        "gold_raw_mean": 5.5, "proxy_mean": 5.0,
    }  # fmt: skip
    for name, value in expected.items():
        assert point[name] == pytest.approx(value), name
    assert point["kl_estimator"] == "exact"
    assert initial["gold_mean"] == 0.0
    gold = Table(out / "prompts.parquet").floats("gold")
    assert gold == pytest.approx([-0.5, 0.7, 1.5, 2.0])
    to_csv(POINT_COLUMNS, [point])


def test_the_initial_policy_is_the_origin(tmp_path: Path) -> None:
    out = _measure(_inputs(tmp_path), tmp_path / "out", {"knob_value": 0.1})
    point = read_json(out / "points.json")[0]
    zeros = ("kl_nats", "kl_se", "gold_mean", "gold_gain_se", "proxy_mean", "win_rate_se", "step")
    assert [point[name] for name in zeros] == [0] * len(zeros)
    assert point["win_rate"] == 0.5
    assert point["gold_raw_mean"] == 2.0
    assert point["gold_se"] == pytest.approx(0.5)
    assert point["proxy_se"] == pytest.approx(2.0)
    assert point["entropy_nats"] == pytest.approx(2.5)
    assert point["length_mean"] == pytest.approx((3 + 2 + 4 + 2) / 4)
    assert point["distinct_1"] == pytest.approx((3 / 3 + 3 / 4) / 2)
    assert point.get("kl_target_nats") is None


def test_distinct_n_of_the_initial_policy_needs_as_many_samples(tmp_path: Path) -> None:
    policy = {"knob_value": 0.1}
    out = _measure(_inputs(tmp_path), tmp_path / "out", policy, samples_per_prompt=3)
    assert "distinct_1" not in read_json(out / "points.json")[0]


def test_prompt_means_belong_to_their_points(tmp_path: Path) -> None:
    out = _measure(_inputs(tmp_path), tmp_path / "out", {"knob_value": 0.1})
    table = Table(out / "prompts.parquet")
    assert table.integers("point").tolist() == [0, 0, 1, 1]
    assert table.integers("prompt_id").tolist() == [0, 1, 0, 1]
    assert table.floats("gold") == pytest.approx([-0.5, 0.5, 1.5, 1.0])
    assert table.floats("proxy") == pytest.approx([-2.0, 2.0, 3.0, 7.0])


def test_budgets_stepped_over_are_unreached_and_in_order(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, steps=(6, 3))
    out = _measure(inputs, tmp_path / "out", {"knob_value": 0.1}, unreached_kl_nats=[20.0])
    points = read_json(out / "points.json")
    assert [p["kl_target_nats"] for p in points if p["status"] == "unreached"] == [0.5, 9.0, 20.0]
    assert [p["step"] for p in points if p["status"] == "ok"] == [0, 6, 3]


def test_a_driven_knob_states_its_own_budget(tmp_path: Path) -> None:
    policy = {"knob_value": 0.1, "kl_target_nats": 0.22}  # the exact KL is 0.21 nats
    inputs = _inputs(tmp_path, exact=EXACT)
    points = read_json(_measure(inputs, tmp_path / "out", policy) / "points.json")
    assert points[1]["kl_target_nats"] == 0.22
    assert len(points) == 2  # the run itself had no budget to miss


def test_excerpts_are_of_the_furthest_policy_and_say_how_far_it_is(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, steps=(6, 3))
    out = _measure(inputs, tmp_path / "out", {"knob_value": 0.1})
    shown = read_json(out / "excerpts.json")
    assert [excerpt["kl_nats"] for excerpt in shown] == pytest.approx([0.5, 0.5])


def test_samples_out_of_order_are_refused(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path)
    table = Table(inputs["evaluate.0"] / "samples.parquet")
    pool = Pool(np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2)), TEXTS, 0.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="prompt-major"):
        Samples(table, np.array([0, 2, 1, 3]), pool, np.zeros(4))


def test_a_policy_equal_to_the_initial_one_gains_nothing() -> None:
    gold_BN = np.random.default_rng(0).standard_normal((3, 50))
    responses = texts([[4, 5]] * 150)
    pool = Pool(gold_BN, gold_BN, np.full((3, 50), -1.0), responses, 0.0, 1.0, 0.0)
    point = initial_point(pool, 8)

    class Same(Samples):
        def __init__(self) -> None:
            self.gold_BN, self.proxy_BN = gold_BN, gold_BN
            self.responses = responses
            self.length_BN = np.full((3, 50), 3.0)

        def column(self, name: str) -> Any:
            return np.zeros((3, 50))

    same = policy_point(Same(), pool, None, {})
    assert same["gold_gain_se"] == 0.0
    assert same["win_rate"] == pytest.approx(0.5)
    assert same["length_mean"] == point["length_mean"]
    assert same["kl_k3_nats"] == 0.0
    assert "gold_exact" not in same
