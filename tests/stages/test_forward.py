"""The forward KL of a run's policies, against sums over every response."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.artifacts.tables import read_json, write_json
from overopt.execution.contract import silent
from overopt.models.enumeration import enumerate_logps
from overopt.models.folders import save_model
from overopt.models.policy import load_policy
from overopt.models.starts.scratch import build_policy
from overopt.stages.beside import forward
from overopt.stats.kl import exact_kl_per_prompt
from overopt.worlds.contract import build, context_tokens
from overopt.worlds.tabular.world import Tabular

from .conftest import POLICY, POOL_SAMPLES, WORLD

SEEDS = {3: 11, 9: 12, 20: 13}
"""By step, the seed of a freshly initialized policy."""


@pytest.fixture(scope="module")
def optimized(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that passes them, after the initial policy itself."""
    folder, world = tmp_path_factory.mktemp("forward"), build(WORLD)
    assert POLICY.architecture is not None
    snapshots = [{"step": 1, "folder": str(artifacts["initial"] / "model")}]
    for step, seed in SEEDS.items():
        policy = build_policy(
            POLICY.architecture, len(world.vocabulary), context_tokens(world), seed
        )
        save_model(policy, folder / f"snapshots/{step}/model", world.vocabulary)
        snapshots.append({"step": step, "folder": f"snapshots/{step}/model"})
    write_json(folder / "optimize.json", {"snapshots": snapshots})
    return folder


def test_it_is_that_of_all_responses_within_three_standard_errors(
    artifacts: dict[str, Path], optimized: Path, tmp_path: Path
) -> None:
    inputs = {role: artifacts[role] for role in ("initial", "pool")}
    params = {"world": WORLD.to_json(), "per_prompt": POOL_SAMPLES}
    forward.run(params, {**inputs, "optimize": optimized}, tmp_path, silent)
    start, same, *rows = read_json(tmp_path / forward.FORWARD)
    assert start == {"step": 0, "forward_kl_nats": 0.0, "forward_kl_se": 0.0}
    assert same["forward_kl_nats"] == pytest.approx(0.0, abs=1e-6)
    world = build(WORLD)
    assert isinstance(world, Tabular)
    initial_BR = enumerate_logps(
        load_policy(artifacts["initial"] / "model"), world.heldout_prompts, world.responses
    )
    assert [row["step"] for row in rows] == list(SEEDS)
    for row in rows:
        policy = load_policy(optimized / f"snapshots/{row['step']}/model")
        logp_BR = enumerate_logps(policy, world.heldout_prompts, world.responses)
        exact_B = exact_kl_per_prompt(initial_BR, logp_BR)
        assert row["forward_kl_se"] > 0.0
        assert abs(row["forward_kl_nats"] - exact_B.mean()) <= 3.0 * row["forward_kl_se"]
        assert row["forward_kl_nats"] == pytest.approx(exact_B.mean(), rel=0.15)
        reverse_B = exact_kl_per_prompt(logp_BR, initial_BR)
        assert abs(exact_B.mean() - reverse_B.mean()) > abs(row["forward_kl_nats"] - exact_B.mean())
