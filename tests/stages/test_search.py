"""Answers of a tree search with learned values: drawn without gold, on the budgets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from overopt.artifacts.tables import Table, read_json
from overopt.catalog import systems
from overopt.execution.contract import silent
from overopt.models.policy import load_policy
from overopt.models.sequences import join
from overopt.models.values import prefix_values, response_values, start_values
from overopt.stages import judge, search, value
from overopt.worlds.contract import build

from .conftest import WORLD
from .hand_made import SINGLE
from .test_families import ROLLOUT
from .test_no_gold import graph, roles


def test_a_search_meets_budgets_and_is_judged(artifacts: dict[str, Path], tmp_path: Path) -> None:
    method = systems.method("mcts", {"rollouts": 3, "branch": 2, "steps": 2})
    out = {name: tmp_path / name for name in ("value", "search", "judge")}
    for folder in out.values():
        folder.mkdir()
    known = {
        "world": WORLD.to_json(), "method": method.to_json(), "system": SINGLE, "seed": 0,
    }  # fmt: skip
    inputs = {"initial": artifacts["initial"], "proxy.0": artifacts["proxy"]}
    value.run({**known, "settings": ROLLOUT.to_json()}, inputs, out["value"], silent)
    params = {**known, "kl_grid_nats": [0.1, 30.0], "samples_per_prompt": 8}
    search.run(params, {**inputs, "value": out["value"]}, out["search"], silent)
    record = read_json(out["search"] / "optimize.json")
    assert record["unreached_kl_nats"] == [30.0]
    (snapshot,) = record["snapshots"]
    kl_B = np.array(snapshot["kl_of_prompts_nats"])
    error = kl_B.std() / len(kl_B) ** 0.5
    assert kl_B.mean() == pytest.approx(0.1, abs=4 * error + 0.05)
    # 3 x 2 nodes for one answer to each of six prompts, and what V was learned from
    learned = read_json(out["value"] / "value.json")
    assert learned["gradient_steps"] == ROLLOUT.max_steps and learned["samples_drawn"] > 0
    assert snapshot["samples_drawn"] == 3 * 2 * 6 + learned["samples_drawn"]
    for name in ("gradient_steps", "tokens_processed"):
        assert snapshot[name] == learned[name]
    judged = {"optimize": out["search"], "gold": artifacts["gold"]}
    judge.run({"world": WORLD.to_json()}, judged, out["judge"], silent)
    assert len(Table(out["judge"] / "samples.parquet")) == 6 * 8


def test_a_prefix_has_the_value_of_its_last_token(artifacts: dict[str, Path]) -> None:
    world, policy = build(WORLD), load_policy(artifacts["initial"] / "model")
    model = start_values(policy)
    with torch.no_grad():
        model.get_output_embeddings().weight.normal_(generator=torch.Generator().manual_seed(0))
    responses = Table(artifacts["pool"] / "samples.parquet").tokens("response").take(np.arange(9))
    prompts = world.heldout_prompts.take(np.zeros(9, np.int64))
    found_N = prefix_values(model, prompts, responses)
    with torch.no_grad():
        value_NT = response_values(model, join(prompts, responses))
    for row, length in enumerate(responses.length_N):
        assert found_N[row] == pytest.approx(float(value_NT[row, length - 1]), abs=1e-5)


def test_a_search_never_sees_gold_and_has_its_values() -> None:
    drawn = graph(systems.method("mcts"), systems.proxy("single")).particles((0.1,))
    assert (drawn.name, roles(drawn)) == ("search", {"initial", "proxy.", "value"})
    assert "searches" not in systems.method("pf").to_json()
