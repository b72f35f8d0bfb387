"""Annealing with a real policy, where every response is listed and the truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.gold import load_gold
from overopt.artifacts.tables import Table, read_json
from overopt.execution.contract import silent
from overopt.models.policy import load_policy
from overopt.stages import anneal
from overopt.stages.shown.enumeration import Enumeration
from overopt.stats.pools.annealing import Rung, gold_at
from overopt.stats.pools.fronts import oracle_front_exact
from overopt.worlds.contract import build

from .conftest import WORLD

SCALE = (0.0, 1.0)


@pytest.fixture(scope="module")
def exact(artifacts: dict[str, Path]) -> Enumeration:
    world = build(WORLD)
    policy = load_policy(artifacts["initial"] / "model")
    return Enumeration(world, policy, load_gold(artifacts["gold"], world))


def test_moves_leave_the_tilted_policy_as_it_is(
    artifacts: dict[str, Path], exact: Enumeration
) -> None:
    """From responses of the tilted policy gold keeps its mean, from the initial's it gets there."""
    world, strength, count = build(WORLD), 0.7, 400
    policy = load_policy(artifacts["initial"] / "model")
    gold = load_gold(artifacts["gold"], world)
    rng = np.random.default_rng(0)
    p_BR = np.exp(exact.reference_logp_BR)
    tilted_BR = p_BR * np.exp(strength * exact.gold_BR)
    tilted_BR /= tilted_BR.sum(axis=1, keepdims=True)
    truth = float((tilted_BR * exact.gold_BR).sum(axis=1).mean())
    means = []
    for drawn_from in (tilted_BR, p_BR):
        index_BM = np.array([rng.choice(len(p), size=count, p=p / p.sum()) for p in drawn_from])
        held = exact.responses.take(index_BM.ravel())
        gold_BM = np.take_along_axis(exact.gold_BR, index_BM, axis=1)
        moved = anneal.Responses(world, policy, gold, held, gold_BM, SCALE, 0)
        for _ in range(8):
            assert 0.0 < moved.move(strength) < 1.0
        found = gold(world.heldout_prompts.take(np.repeat(np.arange(6), count)), moved.responses)
        assert moved.gold_BM.ravel() == pytest.approx(found)
        means.append(moved.gold_BM.mean())
    se = float(np.sqrt((tilted_BR * exact.gold_BR**2).sum(1).mean() - truth**2)) / 20
    assert means == pytest.approx([truth, truth], abs=3 * se)


def test_rungs_lie_on_the_exact_front(
    artifacts: dict[str, Path], exact: Enumeration, tmp_path: Path
) -> None:
    """The pool of 32 samples ends at less than 1 nat; the particles go on."""
    params = {"world": WORLD.to_json(), "seed": 0, "per_prompt": 128, "kl_max_nats": 4.0}
    anneal.run(
        params, {role: artifacts[role] for role in ("initial", "gold", "pool")}, tmp_path, silent
    )
    rungs = [Rung(**rung) for rung in read_json(tmp_path / "rungs.json")]
    summary = read_json(artifacts["pool"] / "summary.json")
    gold_BR = (exact.gold_BR - summary["gold_mean"]) / summary["gold_sd"]
    grid = [1.5, 2.0, 3.0]
    truth = oracle_front_exact(gold_BR, np.exp(exact.reference_logp_BR), grid)
    for kl_nats, point in zip(grid, truth.points, strict=True):
        found = gold_at(rungs, kl_nats)
        assert found is not None
        assert found[0] == pytest.approx(point.gold, abs=0.05)


def test_the_same_seed_gives_the_same_bytes(artifacts: dict[str, Path], tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        params = {"world": WORLD.to_json(), "seed": 3, "per_prompt": 4, "kl_max_nats": 2.0}
        inputs = {role: artifacts[role] for role in ("initial", "gold", "pool")}
        anneal.run(params, inputs, tmp_path / name, silent)
        texts.append((tmp_path / name / "rungs.json").read_bytes())
    assert texts[0] == texts[1]
    assert len(Table(artifacts["pool"] / "samples.parquet")) == 6 * 32
