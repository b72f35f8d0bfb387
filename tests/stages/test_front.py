"""The oracle front: exact where responses are listed, reweighted elsewhere."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import logsumexp

from overopt.artifacts.gold import load_gold
from overopt.artifacts.tables import Column, read_json, write_json, write_table
from overopt.execution.contract import silent
from overopt.models.policy import load_policy
from overopt.spec.world import WorldSpec
from overopt.stages import front
from overopt.stages.enumeration import Enumeration
from overopt.worlds.contract import build

from .conftest import WORLD
from .hand_made import ids, texts

GRID = [0.05, 0.5, 2.0, 500.0]


def _front(world: WorldSpec, inputs: dict[str, Path], out: Path, grid: list[float]) -> Path:
    out.mkdir()
    front.run({"world": world.to_json(), "kl_grid_nats": grid}, inputs, out, silent)
    return out / "front.json"


def test_the_exact_front_is_the_tilted_initial_policy(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    inputs = {role: artifacts[role] for role in ("initial", "gold", "pool")}
    record = read_json(_front(WORLD, inputs, tmp_path / "out", GRID))
    world = build(WORLD)
    reference = load_policy(artifacts["initial"] / "model")
    listed = Enumeration(world, reference, load_gold(artifacts["gold"], world))

    def tilt(strength: float) -> tuple[float, float]:
        logw_BR = listed.reference_logp_BR + strength * listed.gold_BR
        logw_BR = logw_BR - logsumexp(logw_BR, axis=1, keepdims=True)
        w_BR = np.exp(logw_BR)
        kl = (w_BR * (logw_BR - listed.reference_logp_BR)).sum(1).mean()
        return float(kl), float((w_BR * listed.gold_BR).sum(1).mean())

    summary = read_json(artifacts["pool"] / "summary.json")
    assert record["exact"] is True
    assert record["unreachable_kl_nats"] == [500.0]
    assert [p["kl_nats"] for p in record["points"]] == pytest.approx(GRID[:3], abs=1e-6)
    for point in record["points"]:
        strength = brentq(lambda s, kl=point["kl_nats"]: tilt(s)[0] - kl, 1e-6, 100.0)
        raw = tilt(strength)[1]
        expected = (raw - summary["gold_mean"]) / summary["gold_sd"]
        assert point["gold"] == pytest.approx(expected, abs=1e-6)


def test_the_estimated_front_of_two_gold_values_by_hand(tmp_path: Path) -> None:
    """Half of each pool has gold 0, half 1: tilting gives gold q at KL log 2 - H(q)."""
    world = WorldSpec(kind="reviews", seed=0, train_prompts=8, heldout_prompts=2)
    pool = tmp_path / "pool"
    pool.mkdir()
    gold = np.tile([0.0, 1.0], 100)
    columns: dict[str, Column] = {**ids(2, 100), "response": texts([[4]] * 200), "gold": gold}
    write_table(pool / "samples.parquet", columns)
    write_json(pool / "summary.json", {"gold_mean": 0.5, "gold_sd": 0.5})
    q = 0.9
    kl_nats = math.log(2) + q * math.log(q) + (1 - q) * math.log(1 - q)
    record = read_json(_front(world, {"pool": pool}, tmp_path / "out", [kl_nats, 5.0]))
    assert record["exact"] is False
    (point,) = record["points"]
    assert point["gold"] == pytest.approx((q - 0.5) / 0.5, abs=1e-6)
    assert point["ess"] == pytest.approx(1 / (50 * (q / 50) ** 2 + 50 * ((1 - q) / 50) ** 2))
    assert record["unreachable_kl_nats"] == [5.0]
    assert record["kl_limit_nats"] == pytest.approx(math.log(2))
