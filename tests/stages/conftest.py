"""The first stages of the tabular world, run once: a policy, the gold, a pool, data, a proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.execution.contract import silent
from overopt.spec.noise import NoiseSpec
from overopt.spec.policy import PolicySpec
from overopt.spec.proxy import ProxySpec
from overopt.spec.training import ArchitectureSpec, TrainingSpec
from overopt.spec.world import WorldSpec
from overopt.stages import gold, initial, labels, pairs, pool, proxy, score

WORLD = WorldSpec(kind="tabular", seed=0, train_prompts=16, heldout_prompts=6)
_TRAINING = TrainingSpec.model_validate({"learning_rate": 1e-2, "batch_size": 64, "epochs": 2})
_SMALL = ArchitectureSpec(layers=1, width=8, heads=1)
POLICY = PolicySpec(architecture=_SMALL, examples=256, training=_TRAINING)
PROXY = ProxySpec(architecture=_SMALL, comparisons=96, training=_TRAINING, calibration_samples=64)
POOL_SAMPLES = 32


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Role -> folder, as a store would hold them."""
    root = tmp_path_factory.mktemp("artifacts")
    made: dict[str, Path] = {}
    rule = {"name": "rule", "summary": "", "kind": "rule"}
    sizes = {"comparisons": 96, "calibration_samples": 64, "responses": "policy"}
    noiseless = {"noise": NoiseSpec.parse("0").to_json(), "preference": "gold"}
    for stage, params, inputs in (
        (initial, {"policy": POLICY.to_json()}, ()),
        (gold, {"gold": rule}, ("initial",)),
        (pool, {"samples_per_prompt": POOL_SAMPLES}, ("initial", "gold")),
        (pairs, sizes, ("initial",)),
        (labels, noiseless, ("pairs", "gold", "pool")),
        (proxy, {"proxy": PROXY.to_json(), "member": 0}, ("labels",)),
    ):
        name = stage.__name__.rpartition(".")[2]
        made[name] = root / name
        made[name].mkdir()
        known = {"world": WORLD.to_json(), "seed": 0, **params}
        stage.run(known, {role: made[role] for role in inputs}, made[name], silent)
    made["score.pool.0"] = root / "score"
    made["score.pool.0"].mkdir()
    score.run(
        {"world": WORLD.to_json()},
        {"samples": made["pool"], "proxy": made["proxy"]},
        made["score.pool.0"],
        silent,
    )
    return made
