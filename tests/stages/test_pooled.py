"""Stages of a world whose responses lie in a table: the law, the pairs, and what choosing does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.tables import Table, read_json
from overopt.catalog import toml_files
from overopt.execution.contract import silent
from overopt.spec.hub import TaskWorldSpec
from overopt.stages import front
from overopt.stages.pooled import listing, opponents, pairs, pool
from overopt.stats.pools.listed import by_quantile, kl_listed
from overopt.worlds.contract import build
from overopt.worlds.pool.world import PoolWorld

TASK = toml_files.load_task("pool")
WORLD = TaskWorldSpec.model_validate(TASK.world.to_json()).to_json()


def made(stage: Any, out: Path, **params: Any) -> Path:
    out.mkdir()
    stage.run({"world": WORLD, "seed": 0, **params}, {}, out, silent)
    return out


@pytest.fixture(scope="module")
def world() -> PoolWorld:
    found = build(TASK.world)
    assert isinstance(found, PoolWorld)
    return found


def test_the_law_is_uniform_over_the_rows_of_a_prompt(world: PoolWorld, tmp_path: Path) -> None:
    table = Table(made(listing, tmp_path / "out") / "samples.parquet")
    prompts = world.heldout_prompts.rows()
    law_BR = np.exp(table.floats("reference_logp")).reshape(prompts, -1)
    gold_BR = table.floats("gold").reshape(prompts, -1)
    counts = [one.rows() for one in world.heldout_responses]
    assert len(set(counts)) > 1, "prompts have different numbers of responses"
    for law_R, gold_R, given_R in zip(law_BR, gold_BR, world.heldout_gold, strict=True):
        rows = len(given_R)
        assert law_R[:rows] == pytest.approx(np.full(rows, 1 / rows))
        assert (law_R[rows:] == 0).all()
        assert law_R @ gold_R == pytest.approx(given_R.mean())


def test_best_of_n_of_the_law_is_best_of_n_with_replacement_from_the_rows(
    world: PoolWorld, tmp_path: Path
) -> None:
    """Against draws: mean gold and KL of the best of 3 by gold, for a prompt with padding rows."""
    table = Table(made(listing, tmp_path / "out") / "samples.parquet")
    prompts = world.heldout_prompts.rows()
    law_BR = np.exp(table.floats("reference_logp")).reshape(prompts, -1)
    gold_BR = table.floats("gold").reshape(prompts, -1)
    policy_BR = by_quantile(gold_BR, law_BR, lambda u: u**3)
    short = int(np.argmin([one.rows() for one in world.heldout_responses]))
    gold_R, rng = world.heldout_gold[short], np.random.default_rng(0)
    drawn = rng.choice(gold_R, size=(200_000, 3)).max(axis=1)
    assert (policy_BR[short] * gold_BR[short]).sum() == pytest.approx(drawn.mean(), abs=0.01)
    share_R = np.array([(drawn == one).mean() for one in gold_R])
    kl = (share_R[share_R > 0] * np.log(share_R[share_R > 0] * len(gold_R))).sum()
    assert kl_listed(policy_BR, law_BR)[short] == pytest.approx(kl, abs=0.01)


def test_units_of_gold_are_those_of_the_law(world: PoolWorld, tmp_path: Path) -> None:
    out = made(pool, tmp_path / "out", samples_per_prompt=16)
    summary = read_json(out / "summary.json")
    mean = np.mean([gold_R.mean() for gold_R in world.heldout_gold])
    assert summary["gold_mean"] == pytest.approx(mean)
    square = np.mean([((gold_R - mean) ** 2).mean() for gold_R in world.heldout_gold])
    assert summary["gold_sd"] == pytest.approx(square**0.5)
    table = Table(out / "samples.parquet")
    assert len(table) == 16 * world.heldout_prompts.rows()
    prompts = world.heldout_prompts.take(table.integers("prompt_id"))
    assert world.gold(prompts, table.tokens("response")) == pytest.approx(table.floats("gold"))


def test_pairs_differ_and_held_out_ones_are_of_other_prompts(
    world: PoolWorld, tmp_path: Path
) -> None:
    out = made(pairs, tmp_path / "out", comparisons=100, calibration_samples=32)
    seen = {}
    for name, count in (("pairs", 100), ("heldout", 16)):
        table = Table(out / f"{name}.parquet")
        assert len(table) == count
        prompt_id_P = table.integers("prompt_id")
        seen[name] = set(prompt_id_P)
        a, b = table.tokens("a"), table.tokens("b")
        prompts = world.train_prompts.take(prompt_id_P)
        assert np.isfinite(world.gold(prompts, a) + world.gold(prompts, b)).all()
        same = [np.array_equal(x[:m], y[:n]) for x, m, y, n in
                zip(a.ids_NT, a.length_N, b.ids_NT, b.length_N, strict=True)]  # fmt: skip
        assert not any(same)
    assert not seen["pairs"] & seen["heldout"]
    assert len(seen["pairs"]) == 32


def test_opponents_are_responses_of_the_table(world: PoolWorld, tmp_path: Path) -> None:
    made(opponents, tmp_path / "out", per_prompt=3)
    table = Table(tmp_path / "out" / "opponents.parquet")
    assert np.isfinite(world.gold(table.tokens("prompt"), table.tokens("response"))).all()
    assert len(table) == 3 * 60


def test_the_front_of_the_law_is_exact_and_ends_where_the_best_rows_are(tmp_path: Path) -> None:
    inputs = {
        "pool": made(pool, tmp_path / "pool", samples_per_prompt=8),
        "listing": made(listing, tmp_path / "listing"),
    }
    out = tmp_path / "front"
    out.mkdir()
    front.run({"kl_grid_nats": [0.5, 1.0, 1.5]}, inputs, out, silent)
    points = read_json(out / "front.json")["points"]
    assert [one["estimator"] for one in points] == ["exact"] * len(points)
    gold = [one["gold"] for one in points]
    assert len(gold) >= 2 and gold == sorted(gold) and gold[0] > 0
