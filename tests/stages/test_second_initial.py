"""A second initial policy lies beside the first, and has no part in other methods' keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.randomness import torch_rng
from overopt.catalog import systems, toml_files
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.models.logprobs import kl_statistics
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.run.cell import Cell
from overopt.run.graph import Graph
from overopt.spec.noise import NoiseSpec
from overopt.stages import second_initial
from overopt.worlds.contract import world_of

from .conftest import POLICY, WORLD


def _made(artifacts: dict[str, Path], out: Path, seed: int = 0) -> Path:
    out.mkdir()
    params = {"world": WORLD.to_json(), "policy": POLICY.to_json(), "seed": seed}
    second_initial.run(params, {"initial": artifacts["initial"]}, out, silent)
    return out / "model"


def test_it_is_a_neighbor_of_the_first(artifacts: dict[str, Path], tmp_path: Path) -> None:
    again = [_made(artifacts, tmp_path / name) for name in ("one", "two")]
    first, second = load_policy(artifacts["initial"] / "model"), load_policy(again[0])
    prompts = world_of({"world": WORLD.to_json()}).heldout_prompts
    drawn = sample(second, prompts, 8, 4, torch_rng(0, "test"))
    repeated = prompts.take(np.repeat(np.arange(prompts.rows()), 8))
    kl_nats = kl_statistics(second, first, repeated, drawn.responses).rb_N.mean()
    assert 1e-4 < kl_nats < 2.0
    weights = [(folder / "model.safetensors").read_bytes() for folder in again]
    assert weights[0] == weights[1]


def test_a_task_that_takes_a_model_as_it_is_has_none() -> None:
    task = toml_files.load_task("tldr")
    untrained = task.policy.model_copy(update={"examples": 0, "training": None})
    task = task.model_copy(update={"policy": untrained})
    gold, noise = toml_files.load_gold(task.gold), NoiseSpec.parse("0")
    cell = Cell(task, gold, systems.method("salsa"), systems.proxy("single"), noise, 0)
    with pytest.raises(UserError, match="salsa needs a second initial policy, but tldr takes a"):
        Graph(cell).optimize(None, (1.0,))


def test_only_runs_that_ask_for_it_need_it() -> None:
    task = toml_files.load_task("tabular")
    gold, noise = toml_files.load_gold(task.gold), NoiseSpec.parse("0")
    single = systems.proxy("single")
    roles = {}
    for name in ("rloo", "salsa"):
        method = systems.method(name)
        graph = Graph(Cell(task, gold, method, single, noise, 0))
        roles[name] = {role for role, _ in graph.optimize(None, (1.0,)).inputs}
        assert ("needs" in method.to_json()) == (name == "salsa")
    assert roles["salsa"] - roles["rloo"] == {"second"}
