"""Runs taken out of a stack against the same runs trained alone, from the stages' files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.stacked_reward import with_models
from overopt.artifacts.tables import read_json
from overopt.catalog import systems
from overopt.engines.stacked.rewards import ModelReward
from overopt.execution.contract import silent
from overopt.models.rewards.reward import score
from overopt.spec.rollout import RolloutSpec
from overopt.stages import optimize
from overopt.stages.optimize import run_inputs
from overopt.stages.stacked import optimize as out_of_stack
from overopt.stages.stacked import stack
from overopt.worlds.contract import build

from .conftest import WORLD

SETTINGS = RolloutSpec(
    learning_rate=1e-3,
    prompts_per_step=6,
    samples_per_prompt=4,
    max_steps=4,
    warmup_steps=0,
    max_gradient_norm=1.0,
)
PARAMS = {
    "world": WORLD.to_json(),
    "method": systems.method("rloo").to_json(),
    "settings": SETTINGS.to_json(),
    "kl_grid_nats": [0.001, 0.003],
    "system": systems.proxy("single").to_json(),
}


def test_a_run_out_of_a_stack_is_the_run_alone(artifacts: dict[str, Path], tmp_path: Path) -> None:
    together = {"initial": artifacts["initial"]}
    together |= {f"proxy.0.{place}": artifacts["proxy"] for place in range(2)}
    asked = {**PARAMS, "engine": "stacked", "seeds": [3, 5], "width": 3}
    made = tmp_path / "stack"
    made.mkdir()
    stack.run(asked, together, made, silent)
    alone = {"initial": artifacts["initial"], "proxy.0": artifacts["proxy"]}
    for seed in (3, 5):
        own, native = tmp_path / f"own {seed}", tmp_path / f"native {seed}"
        for folder in (own, native):
            folder.mkdir()
        out_of_stack.run({"seed": seed}, {"stack": made}, own, silent)
        optimize.run({**PARAMS, "seed": seed, "engine": "native"}, alone, native, silent)
        found, expected = (read_json(one / "optimize.json") for one in (own, native))
        assert found["samples_drawn"] == expected["samples_drawn"] > 0
        kept, wanted = (
            [(one["step"], one["kl_target_nats"], one["folder"]) for one in told["snapshots"]]
            for told in (found, expected)
        )
        assert kept == wanted and all(
            (own / folder / "config.json").is_file() for *_, folder in kept
        )
        mine, theirs = (_columns(one / "trajectory.csv") for one in (own, native))
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-5)


def _columns(path: Path) -> list[list[float]]:
    with path.open(newline="") as stream:
        _, *lines = csv.reader(stream)
    return [[float(value or "nan") for value in line] for line in lines]


def test_the_models_behind_a_reward_are_told_where_there_is_no_more_to_it(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    world = build(WORLD)
    inputs = {"initial": artifacts["initial"]}
    inputs |= {f"proxy.{member}": artifacts["proxy"] for member in range(2)}
    system = systems.proxy("uwo", {"members": 2}).to_json()
    params = {**PARAMS, "seed": 0, "system": system}
    given = run_inputs(params, inputs, systems.method("rloo"), world, silent)
    reward = with_models(given, inputs, system, world).reward
    assert isinstance(reward, ModelReward) and given.reward is not None
    prompts, responses = (
        world.train_prompts,
        world.references(world.train_prompts, np.random.default_rng(0)),
    )
    raw_KN = np.stack([score(model, prompts, responses) for model in reward.models])
    np.testing.assert_array_equal(reward.combine(raw_KN), given.reward(prompts, responses))
    np.testing.assert_array_equal(reward(prompts, responses), given.reward(prompts, responses))
    planted = tmp_path / "proxy"
    planted.mkdir()
    for path in artifacts["proxy"].iterdir():
        (planted / path.name).symlink_to(path)
    (planted / "error.json").write_text("{}")
    assert with_models(given, {**inputs, "proxy.1": planted}, system, world) is given


@pytest.mark.parametrize("place", ["mine.py", "initial"])
def test_what_all_cells_share_keeps_its_role(place: str) -> None:
    inputs = {place: Path("a"), "proxy.0.0": Path("b"), "proxy.0.11": Path("c")}
    assert stack.of_place(inputs, 11) == {place: Path("a"), "proxy.0": Path("c")}
