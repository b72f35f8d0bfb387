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
from overopt.stages import front, listing
from overopt.stages.shown.enumeration import Enumeration
from overopt.stats.pools.annealing import Rung
from overopt.worlds.contract import build

from .conftest import WORLD
from .hand_made import ids, texts

GRID = [0.05, 0.5, 2.0, 500.0]


def _front(inputs: dict[str, Path], out: Path, grid: list[float]) -> Path:
    out.mkdir()
    front.run({"kl_grid_nats": grid}, inputs, out, silent)
    return out / "front.json"


def test_the_exact_front_is_the_tilted_initial_policy(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    given = {role: artifacts[role] for role in ("initial", "gold", "pool")}
    (tmp_path / "listing").mkdir()
    listing.run({"world": WORLD.to_json()}, given, tmp_path / "listing", silent)
    inputs = {"pool": artifacts["pool"], "listing": tmp_path / "listing"}
    record = read_json(_front(inputs, tmp_path / "out", GRID))
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
    assert {p["estimator"] for p in record["points"]} == {"exact"}
    assert record["unreachable_kl_nats"] == [500.0]
    assert [p["kl_nats"] for p in record["points"]] == pytest.approx(GRID[:3], abs=1e-6)
    for point in record["points"]:
        strength = brentq(lambda s, kl=point["kl_nats"]: tilt(s)[0] - kl, 1e-6, 100.0)
        raw = tilt(strength)[1]
        # a gain over the policy itself, not over its pool
        assert point["gold"] == pytest.approx((raw - tilt(0.0)[1]) / summary["gold_sd"], abs=1e-6)


def test_the_estimated_front_of_two_gold_values_by_hand(tmp_path: Path) -> None:
    """Half of each pool has gold 0, half 1: tilting gives gold q at KL log 2 - H(q).

    At log 2 only gold 1 is left, and beyond it there is no more to have.
    """
    pool = tmp_path / "pool"
    pool.mkdir()
    gold = np.tile([0.0, 1.0], 100)
    columns: dict[str, Column] = {**ids(2, 100), "response": texts([[4]] * 200), "gold": gold}
    write_table(pool / "samples.parquet", columns)
    write_json(pool / "summary.json", {"gold_mean": 0.5, "gold_sd": 0.5})
    q = 0.9
    kl_nats = math.log(2) + q * math.log(q) + (1 - q) * math.log(1 - q)
    record = read_json(_front({"pool": pool}, tmp_path / "out", [kl_nats, 5.0]))
    point, beyond = record["points"]
    assert [one["estimator"] for one in record["points"]] == ["pool", "pool"]
    assert point["gold"] == pytest.approx((q - 0.5) / 0.5, abs=1e-6)
    assert point["ess"] == pytest.approx(1 / (50 * (q / 50) ** 2 + 50 * ((1 - q) / 50) ** 2))
    assert (beyond["kl_nats"], beyond["gold"], beyond["b"]) == (5.0, 1.0, 0.0)
    assert beyond["ess"] == pytest.approx(50.0)
    assert record["unreachable_kl_nats"] == []
    assert record["kl_limit_nats"] == pytest.approx(math.log(2))


def _normal_pool(folder: Path) -> dict[str, Path]:
    """A pool of two prompts with normal gold, and an empty folder for what annealing says."""
    inputs = {name: folder / name for name in ("pool", "anneal")}
    for place in inputs.values():
        place.mkdir()
    gold = np.random.default_rng(0).normal(size=(2, 500))
    columns: dict[str, Column] = {
        **ids(2, 500),
        "response": texts([[4]] * 1000),
        "gold": gold.ravel(),
    }
    write_table(inputs["pool"] / "samples.parquet", columns)
    write_json(inputs["pool"] / "summary.json", {"gold_mean": 0.0, "gold_sd": 1.0})
    return inputs


def test_particles_take_over_at_their_first_rung(tmp_path: Path) -> None:
    inputs = _normal_pool(tmp_path)
    rungs = [Rung(math.sqrt(2 * kl), kl, math.sqrt(2 * kl), 0.03, 0.2) for kl in (1.0, 2.0, 4.0)]
    write_json(tmp_path / "anneal" / "rungs.json", [rung._asdict() for rung in rungs])
    record = read_json(_front(inputs, tmp_path / "out", [0.5, 1.0, 2.0, 3.0, 4.0, 9.0]))
    assert [(p["kl_nats"], p["estimator"]) for p in record["points"]] == [
        (pytest.approx(0.5), "pool"), (pytest.approx(1.0), "pool"), (2.0, "annealed"),
        (3.0, "annealed"), (4.0, "annealed"),
    ]  # fmt: skip
    assert [p["gold"] for p in record["points"][2:]] == pytest.approx(
        [2.0, math.sqrt(6.0), math.sqrt(8.0)], abs=0.01
    )
    assert [p["gold_se"] for p in record["points"]] == [None, None] + [pytest.approx(0.03)] * 3
    assert record["unreachable_kl_nats"] == [9.0]


def test_where_particles_tell_nothing_the_pool_still_does(tmp_path: Path) -> None:
    inputs = _normal_pool(tmp_path)
    write_json(tmp_path / "anneal" / "rungs.json", [Rung(1.0, 0.5, 1.0, 0.0, 0.0)._asdict()])
    record = read_json(_front(inputs, tmp_path / "out", [0.25, 1.0]))
    assert [point["estimator"] for point in record["points"]] == ["pool", "pool"]
    assert record["unreachable_kl_nats"] == []
