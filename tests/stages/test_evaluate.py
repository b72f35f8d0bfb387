"""Evaluation in a world where every response can be listed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.gold import load_gold
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.execution.contract import silent
from overopt.models.folders import save_model
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.models.starts.scratch import build_policy
from overopt.stages import evaluate
from overopt.stages.shown.enumeration import Enumeration
from overopt.worlds.contract import build, context_tokens
from overopt.worlds.tabular.world import Tabular

from .conftest import POLICY, WORLD


def _optimized(folder: Path, seeds: tuple[int, ...]) -> Path:
    """An ``optimize`` artifact whose snapshots are freshly initialized policies."""
    world = build(WORLD)
    assert POLICY.architecture is not None
    snapshots = []
    for step, seed in enumerate(seeds, start=1):
        size = len(world.vocabulary)
        policy = build_policy(POLICY.architecture, size, context_tokens(world), seed)
        save_model(policy, folder / f"snapshots/{step}/model", world.vocabulary)
        snapshots.append({"step": step, "folder": f"snapshots/{step}/model"})
    write_json(folder / "optimize.json", {"snapshots": snapshots})
    return folder


def _evaluate(artifacts: dict[str, Path], optimized: Path, out: Path, seed: int = 0) -> Path:
    out.mkdir()
    params = {"world": WORLD.to_json(), "samples_per_prompt": 16, "seed": seed}
    inputs = {role: artifacts[role] for role in ("initial", "gold", "pool")}
    evaluate.run(params, {**inputs, "optimize": optimized}, out, silent)
    return out


@pytest.fixture(scope="module")
def evaluated(
    artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("evaluate")
    optimized = _optimized(root / "optimize", seeds=(5, 6))
    return optimized, _evaluate(artifacts, optimized, root / "out")


def test_exact_values_are_sums_over_every_response(
    artifacts: dict[str, Path], evaluated: tuple[Path, Path]
) -> None:
    optimized, out = evaluated
    world = build(WORLD)
    assert isinstance(world, Tabular)
    prompts, rows = world.heldout_prompts.rows(), world.responses.rows()
    prompt = world.heldout_prompts.take(np.repeat(np.arange(prompts), rows))
    every = world.responses.take(np.tile(np.arange(rows), prompts))
    gold_BR = world.gold(prompt, every).reshape(prompts, rows)
    logp_BR, logq_BR = (
        score_logps(load_policy(folder), prompt, every).sum(1, dtype=float).reshape(prompts, rows)
        for folder in (optimized / "snapshots/1/model", artifacts["initial"] / "model")
    )
    exact = read_json(out / "exact.json")
    assert set(exact) == {"initial", "1", "2"}
    kl_B = (np.exp(logp_BR) * (logp_BR - logq_BR)).sum(1)
    assert exact["1"]["kl_nats"] == pytest.approx(kl_B, abs=1e-5)
    for name, logp in (("1", logp_BR), ("initial", logq_BR)):
        assert exact[name]["gold"] == pytest.approx((np.exp(logp) * gold_BR).sum(1), abs=1e-5)


def test_every_sample_carries_its_own_numbers(
    artifacts: dict[str, Path], evaluated: tuple[Path, Path]
) -> None:
    optimized, out = evaluated
    world = build(WORLD)
    table = Table(out / "samples.parquet")
    assert (table.integers("step") == np.repeat([1, 2], 96)).all()
    assert (table.integers("prompt_id") == np.tile(np.repeat(np.arange(6), 16), 2)).all()
    assert (table.integers("sample_id") == np.tile(np.arange(16), 12)).all()
    rows = np.arange(96, 192)
    prompts = world.heldout_prompts.take(table.integers("prompt_id")[rows])
    responses = table.tokens("response").take(rows)
    policy = load_policy(optimized / "snapshots/2/model")
    reference = load_policy(artifacts["initial"] / "model")
    for name, model in (("policy_logp", policy), ("reference_logp", reference)):
        logp_N = score_logps(model, prompts, responses).sum(1, dtype=float)
        assert table.floats(name)[rows] == pytest.approx(logp_N, abs=1e-5)
    assert table.floats("gold")[rows] == pytest.approx(world.gold(prompts, responses))
    assert (table.floats("kl_rb") >= 0).all()


def test_a_policy_is_at_no_distance_from_itself(artifacts: dict[str, Path]) -> None:
    world = build(WORLD)
    reference = load_policy(artifacts["initial"] / "model")
    exact = Enumeration(world, reference, load_gold(artifacts["gold"], world))
    found = exact.measure(reference)
    assert found.kl_B == pytest.approx(0.0, abs=1e-12)
    assert found.gold_B == pytest.approx(exact.start_gold_B)


def test_evaluation_is_deterministic_and_moves_with_the_seed(
    artifacts: dict[str, Path], evaluated: tuple[Path, Path], tmp_path: Path
) -> None:
    optimized, out = evaluated
    same = _evaluate(artifacts, optimized, tmp_path / "same")
    other = _evaluate(artifacts, optimized, tmp_path / "other", seed=1)
    files = [(folder / "samples.parquet").read_bytes() for folder in (out, same, other)]
    assert files[0] == files[1] != files[2]
    assert read_json(other / "exact.json") == read_json(out / "exact.json")


def test_pool_samples_follow_the_initial_policy(artifacts: dict[str, Path]) -> None:
    world = build(WORLD)
    table = Table(artifacts["pool"] / "samples.parquet")
    summary = read_json(artifacts["pool"] / "summary.json")
    gold_N = table.floats("gold")
    assert summary["gold_mean"] == pytest.approx(gold_N.mean())
    assert summary["gold_sd"] == pytest.approx(gold_N.std(ddof=1))
    prompts = world.heldout_prompts.take(table.integers("prompt_id"))
    reference = load_policy(artifacts["initial"] / "model")
    logp_N = score_logps(reference, prompts, table.tokens("response")).sum(1, dtype=float)
    assert table.floats("reference_logp") == pytest.approx(logp_N, abs=1e-4)
