"""Selection where every response is listed: what is exact, and what a pool cannot see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.tables import Table, read_json
from overopt.catalog.systems import method
from overopt.execution.contract import silent
from overopt.stages import listing, score, select
from overopt.stats.arrays import Floats
from overopt.stats.kl import clustered_mean
from overopt.stats.pools.listed import by_quantile, kl_listed
from overopt.worlds.contract import build

from .conftest import WORLD
from .hand_made import SINGLE

PROMPTS = WORLD.heldout_prompts
GRID = [0.1, 1.0, 3.0]


@pytest.fixture(scope="module")
def inputs(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the select stage takes in a world that lists its responses."""
    root = tmp_path_factory.mktemp("listing")
    params = {"world": WORLD.to_json()}
    every, scored = root / "listing", root / "score"
    every.mkdir()
    scored.mkdir()
    listing.run(params, {role: artifacts[role] for role in ("initial", "gold")}, every, silent)
    score.run(params, {"samples": every, "proxy": artifacts["proxy"]}, scored, silent)
    known = {role: artifacts[role] for role in ("pool", "score.pool.0")}
    return {**known, "listing": every, "score.listing.0": scored}


def selected(
    inputs: dict[str, Path], out: Path, by: str, grid: list[float], **given: object
) -> list[dict[str, Any]]:
    out.mkdir()
    params = {
        "world": WORLD.to_json(),
        "method": method(by, given).to_json(),
        "system": SINGLE,
        "kl_grid_nats": grid,
        "samples_per_prompt": 4,
        "seed": 0,
    }
    select.run(params, inputs, out, silent)
    points: list[dict[str, Any]] = read_json(out / "points.json")
    return points


def power(n: float) -> Callable[[Floats], Floats]:
    return lambda quantile: quantile**n


def column(folder: Path, file: str, name: str) -> np.ndarray:
    return Table(folder / file).floats(name).reshape(PROMPTS, -1)


def test_the_list_is_complete_and_the_pool_is_drawn_from_it(inputs: dict[str, Path]) -> None:
    world = build(WORLD)
    assert world.responses is not None
    table = Table(inputs["listing"] / "samples.parquet")
    assert len(table) == PROMPTS * world.responses.rows()
    reference_BR = np.exp(column(inputs["listing"], "samples.parquet", "reference_logp"))
    assert reference_BR.sum(axis=1) == pytest.approx(np.ones(PROMPTS), abs=1e-5)
    for folder, file, name in (
        ("listing", "samples.parquet", "gold"),
        ("score.listing.0", "scores.parquet", "score"),
    ):
        exact_B = (reference_BR * column(inputs[folder], file, name)).sum(axis=1)
        pooled = folder.replace("listing", "pool")
        drawn_BN = column(inputs[pooled], file, name)
        error = clustered_mean(drawn_BN - exact_B[:, None])
        assert error.se is not None
        assert abs(error.mean) < 4 * error.se


def test_best_of_n_has_its_exact_kl_and_gold(inputs: dict[str, Path], tmp_path: Path) -> None:
    reference_BR = np.exp(column(inputs["listing"], "samples.parquet", "reference_logp"))
    reference_BR /= reference_BR.sum(axis=1, keepdims=True)
    proxy_BR = column(inputs["score.listing.0"], "scores.parquet", "score")
    summary = read_json(inputs["pool"] / "summary.json")
    gold_BR = column(inputs["listing"], "samples.parquet", "gold") - summary["gold_mean"]
    points = [p for p in selected(inputs, tmp_path / "bon", "bon", GRID) if p.get("knob_value")]
    assert len(points) >= 3
    for point in points:
        policy_BR = by_quantile(proxy_BR, reference_BR, power(point["knob_value"]))
        kl = kl_listed(policy_BR, reference_BR).mean()
        assert point["kl_exact_nats"] == pytest.approx(kl)
        gain_BR = (policy_BR - reference_BR) * gold_BR
        gold = gain_BR.sum(axis=1).mean() / summary["gold_sd"]
        assert point["gold_exact"] == point["gold_mean"] == pytest.approx(gold)
        assert (point["kl_nats"], point["kl_estimator"]) == (point["kl_exact_nats"], "exact")
        assert point["kl_exact_nats"] <= point["kl_bound_nats"] + 1e-12


@pytest.mark.parametrize("name", ["soft-bon", "itp"])
def test_a_tilt_meets_its_budgets_exactly_where_the_pool_stops(
    name: str, inputs: dict[str, Path], tmp_path: Path
) -> None:
    points = selected(inputs, tmp_path / "exact", name, GRID)[1:]
    assert [p["status"] for p in points] == ["ok"] * len(points)
    met = {p["kl_target_nats"]: p for p in points if p["kl_target_nats"] is not None}
    for kl_nats, point in met.items():
        assert point["kl_exact_nats"] == pytest.approx(kl_nats, rel=1e-4)
        assert point["kl_estimator"] == "exact"
    # 32 samples of a prompt never drew some of what 3 nats of a tilt are made of
    assert met[3.0]["kl_pool_nats"] < 2.9
    without = {role: folder for role, folder in inputs.items() if "listing" not in role}
    pooled = selected(without, tmp_path / "pool", name, GRID)
    assert pooled[-1]["status"] == "unreached"
    assert not any("kl_exact_nats" in point for point in pooled)


def test_soft_best_of_n_stays_below_best_of_n(inputs: dict[str, Path], tmp_path: Path) -> None:
    reference_BR = np.exp(column(inputs["listing"], "samples.parquet", "reference_logp"))
    reference_BR /= reference_BR.sum(axis=1, keepdims=True)
    proxy_BR = column(inputs["score.listing.0"], "scores.parquet", "score")
    best = kl_listed(by_quantile(proxy_BR, reference_BR, lambda u: u**8), reference_BR).mean()
    points = selected(inputs, tmp_path / "soft", "soft-bon", [1.0, 3.0], n=8)[1:]
    assert [p["status"] for p in points if p["kl_target_nats"] == 3.0] == ["unreached"]
    met = [p for p in points if p["status"] == "ok"]
    assert {p["kl_target_nats"] for p in met} >= {1.0}
    for point in met:
        assert point["kl_exact_nats"] < best
        # few of 32 samples tie, so that the pool is near; its weights within a draw would not be
        assert point["kl_pool_nats"] == pytest.approx(point["kl_exact_nats"], abs=0.15)
        assert point["samples_drawn"] == 8 * PROMPTS
