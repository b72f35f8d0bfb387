"""Every family through its stages, by the shipped name and by a file of the user's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from overopt.artifacts.tables import read_json
from overopt.catalog import lookup, systems
from overopt.execution.contract import silent
from overopt.models.enumeration import enumerate_logps
from overopt.spec.method import MethodSpec
from overopt.spec.pairs import PairsSpec
from overopt.spec.rollout import RolloutSpec
from overopt.stages import evaluate, measure, merge, optimize, score
from overopt.stages.merging.members import load_member
from overopt.worlds.contract import build

from .conftest import WORLD
from .hand_made import SINGLE

PAIRS = PairsSpec(
    learning_rate=3e-3, batch_size=32, max_steps=6, warmup_steps=0, max_gradient_norm=1.0
)
ROLLOUT = RolloutSpec(
    learning_rate=1e-2,
    prompts_per_step=8,
    samples_per_prompt=4,
    max_steps=8,
    warmup_steps=0,
    max_gradient_norm=1.0,
)
TRAINED = ["dpo", "sparsepo", "mapo", "rloo", "ppo", "elastic-reset", "chi2-rl", "superhf",
           "online-dpo"]  # fmt: skip
GRID = [0.01, 0.04]


def run_optimize(
    method: MethodSpec, artifacts: dict[str, Path], out: Path, **more: Any
) -> dict[str, Any]:
    """The stage's record; ``method.source`` may be the user's own file."""
    settings = PAIRS if method.trains == "pairs" else ROLLOUT
    params = {
        "world": WORLD.to_json(),
        "method": method.to_json(),
        "settings": settings.to_json(),
        "system": SINGLE,
        "kl_grid_nats": [],
        "engine": "native",
        "seed": 0,
        **more,
    }
    inputs = {role: artifacts[role] for role in ("initial", "labels")}
    inputs["proxy.0"] = artifacts["proxy"]
    out.mkdir()
    optimize.run(params, inputs, out, silent)
    record: dict[str, Any] = read_json(out / "optimize.json")
    return record


@pytest.mark.parametrize("name", TRAINED)
def test_a_method_trains_alike_by_name_and_as_a_file_of_ones_own(
    name: str, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    shipped = systems.method(name)
    file = tmp_path / f"{name}.py"
    shutil.copy(lookup.files("methods")[name], file)
    own = systems.method(str(file))
    assert (own.name, own.source, own.config) == (name, str(file), shipped.config)
    record = run_optimize(shipped, artifacts, tmp_path / "shipped")
    assert run_optimize(own, artifacts, tmp_path / "own") == record
    (snapshot,) = record["snapshots"]
    assert snapshot["step"] == (6 if shipped.trains == "pairs" else 8)
    assert snapshot["kl_cheap_nats"] > 0
    weights = f"{snapshot['folder']}/model.safetensors"
    assert (tmp_path / "own" / weights).read_bytes() == (
        tmp_path / "shipped" / weights
    ).read_bytes()


@pytest.fixture(scope="session")
def merged(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """WARP's members and merged policies, made by a file of the user's own."""
    root = tmp_path_factory.mktemp("merged")
    file = root / "my_merge.py"
    shutil.copy(lookup.files("methods")["warp"], file)
    method = systems.method(str(file))
    made = {"file": file, "initial": artifacts["initial"], "merge": root / "merge"}
    for member in range(2):
        made[f"optimize.{member}"] = root / f"member {member}"
        run_optimize(method, artifacts, made[f"optimize.{member}"], member=member)
    made["merge"].mkdir()
    params = {
        "world": WORLD.to_json(),
        "method": method.model_copy(update={"source": "my_merge.py"}).to_json(),
        "kl_grid_nats": [*GRID, 9.0],
        "engine": "native",
        "seed": 0,
    }
    merge.run(params, {**made, "my_merge.py": file}, made["merge"], silent)
    return made


def test_merged_policies_lie_on_the_budgets(merged: dict[str, Path]) -> None:
    record = read_json(merged["merge"] / "optimize.json")
    assert record["unreached_kl_nats"] == [9.0]
    snapshots = record["snapshots"]
    assert [one["step"] for one in snapshots] == [1, 2, 3, 4, 5]
    assert [one["kl_target_nats"] for one in snapshots] == [None, None, None, *GRID]
    etas = [one["knob_value"] for one in snapshots]
    assert etas == sorted(etas) and etas[0] >= 0.01 and etas[-1] <= 1
    for one, kl_nats in zip(snapshots[3:], GRID, strict=True):
        assert one["kl_cheap_nats"] == pytest.approx(kl_nats, rel=0.05)
    members = [read_json(merged[f"optimize.{m}"] / "optimize.json") for m in range(2)]
    for field in ("gradient_steps", "samples_drawn", "tokens_processed"):
        spent = sum(member["snapshots"][-1][field] for member in members)
        assert all(one[field] == spent for one in snapshots)
    assert snapshots[0]["gradient_steps"] == 16


def test_members_differ(merged: dict[str, Path]) -> None:
    world = build(WORLD)
    assert world.responses is not None
    first, second = (
        enumerate_logps(
            load_member(merged[f"optimize.{member}"])[0],
            world.heldout_prompts,
            world.responses,
        )
        for member in range(2)
    )
    assert abs(first - second).max() > 1e-3


def test_merged_policies_are_measured_with_their_own_knob(
    merged: dict[str, Path], artifacts: dict[str, Path], tmp_path: Path
) -> None:
    world = {"world": WORLD.to_json(), "seed": 0, "samples_per_prompt": 8}
    for name in ("evaluate", "score", "measure"):
        (tmp_path / name).mkdir()
    inputs = {"optimize": merged["merge"], "initial": merged["initial"], "gold": artifacts["gold"]}
    evaluate.run(world, inputs, tmp_path / "evaluate", silent)
    scored = {"samples": tmp_path / "evaluate", "proxy": artifacts["proxy"]}
    score.run(world, scored, tmp_path / "score", silent)
    params = {**world, "system": SINGLE, "policies": [{}], "unreached_kl_nats": []}
    measured = {
        "pool": artifacts["pool"],
        "score.pool.0": artifacts["score.pool.0"],
        "evaluate.0": tmp_path / "evaluate",
        "score.0.0": tmp_path / "score",
    }
    measure.run(params, measured, tmp_path / "measure", silent)
    points = read_json(tmp_path / "measure" / "points.json")
    snapshots = read_json(merged["merge"] / "optimize.json")["snapshots"]
    assert [p["knob_value"] for p in points[1:-1]] == [one["knob_value"] for one in snapshots]
    assert [p.get("kl_target_nats") for p in points[-3:]] == [*GRID, 9.0]
    assert points[-1]["status"] == "unreached"
    exact = [p["kl_exact_nats"] for p in points[1:-1]]
    assert exact == sorted(exact) and exact[0] > 0
