"""Policies composed along a knob: placed, written as recipes, evaluated like any other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from overopt.artifacts.tables import read_json
from overopt.catalog import systems
from overopt.engines.rehearsals.method import rehearse
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.models.enumeration import enumerate_logps
from overopt.models.logprobs import token_logps
from overopt.models.policy import load_policy
from overopt.run.cell import Cell
from overopt.run.graph import Graph
from overopt.stages import compose, evaluate, value
from overopt.worlds.contract import build
from own import MIXTURE, VALUED

from .conftest import WORLD
from .hand_made import SINGLE
from .test_families import ROLLOUT, run_optimize
from .test_no_gold import graph

GRID = [0.01, 0.04]


@pytest.fixture(scope="module")
def composed(
    artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A run of dpo, and what the mixture makes of it."""
    root = tmp_path_factory.mktemp("composed")
    method = systems.method(str(MIXTURE))
    assert method.member is not None
    made = {name: root / name for name in ("optimize.0", "compose")}
    run_optimize(method.member, artifacts, made["optimize.0"])
    made["compose"].mkdir()
    params = {
        "world": WORLD.to_json(),
        "method": method.model_copy(update={"source": MIXTURE.name}).to_json(),
        "kl_grid_nats": [*GRID, 9.0],
        "seed": 0,
    }
    inputs = {**made, "initial": artifacts["initial"], MIXTURE.name: MIXTURE}
    compose.run(params, inputs, made["compose"], silent)
    return made


def test_composed_policies_lie_on_the_budgets(composed: dict[str, Path]) -> None:
    record = read_json(composed["compose"] / "optimize.json")
    assert record["unreached_kl_nats"] == [9.0]
    snapshots = record["snapshots"]
    assert [one["kl_target_nats"] for one in snapshots] == [None, None, None, *GRID]
    shares = [one["knob_value"] for one in snapshots]
    assert shares == sorted(shares) and shares[0] >= 0.01 and shares[-1] <= 1
    for one, kl_nats in zip(snapshots[3:], GRID, strict=True):
        assert one["kl_cheap_nats"] == pytest.approx(kl_nats, rel=0.05)
    last = read_json(composed["optimize.0"] / "optimize.json")["snapshots"][-1]
    assert all(one["gradient_steps"] == last["gradient_steps"] == 6 for one in snapshots)


def test_a_policy_is_a_recipe_that_names_models_of_its_artifact(
    composed: dict[str, Path], artifacts: dict[str, Path]
) -> None:
    record = read_json(composed["compose"] / "optimize.json")
    snapshot = record["snapshots"][-1]
    folder = composed["compose"] / snapshot["folder"]
    assert [path.name for path in folder.iterdir()] == ["recipe.json"]
    share = snapshot["knob_value"]
    assert json.loads((folder / "recipe.json").read_text()) == {
        "policies": [
            {"folder": "../../members/initial", "weight": 1 - share},
            {"folder": "../../members/optimize.0", "weight": share},
        ]
    }
    # the first token is pi_ref^(1 - share) pi^share, normalized; response by response, summed
    world = build(WORLD)
    assert world.responses is not None
    first_R = world.responses.ids_NT[:, 0]
    run = composed["optimize.0"]
    trained = run / read_json(run / "optimize.json")["snapshots"][-1]["folder"]
    found, start, end = (
        np.exp(enumerate_logps(load_policy(place), world.heldout_prompts, world.responses))
        @ (first_R[:, None] == np.unique(first_R))
        for place in (folder, artifacts["initial"] / "model", trained)
    )
    mixed_BV = start ** (1 - share) * end**share
    assert found == pytest.approx(mixed_BV / mixed_BV.sum(1, keepdims=True), abs=1e-5)


def test_it_is_evaluated_like_any_other(
    composed: dict[str, Path], artifacts: dict[str, Path], tmp_path: Path
) -> None:
    inputs = {
        "optimize": composed["compose"],
        "initial": artifacts["initial"],
        "gold": artifacts["gold"],
    }
    params = {"world": WORLD.to_json(), "seed": 0, "samples_per_prompt": 8}
    evaluate.run(params, inputs, tmp_path, silent)
    exact = read_json(tmp_path / "exact.json")
    record = read_json(tmp_path / "optimize.json")
    kl = [np.mean(exact[str(one["step"])]["kl_nats"]) for one in record["snapshots"]]
    assert kl == sorted(kl)
    assert kl[-1] == pytest.approx(GRID[-1], rel=0.3)


@pytest.fixture(scope="module")
def valued(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Values learned from the proxy, and the policies composed of them."""
    root = tmp_path_factory.mktemp("valued")
    method = systems.method(str(VALUED)).model_copy(update={"source": VALUED.name})
    made = {name: root / name for name in ("value", "compose")}
    shared = {"world": WORLD.to_json(), "method": method.to_json(), "seed": 0}
    inputs = {"initial": artifacts["initial"], VALUED.name: VALUED}
    for folder in made.values():
        folder.mkdir()
    learning = {**shared, "system": SINGLE, "settings": ROLLOUT.to_json()}
    value.run(learning, {**inputs, "proxy.0": artifacts["proxy"]}, made["value"], silent)
    placing = {**shared, "kl_grid_nats": GRID}
    compose.run(placing, {**inputs, "value": made["value"]}, made["compose"], silent)
    return made


def test_values_are_learned_and_added(valued: dict[str, Path], artifacts: dict[str, Path]) -> None:
    learned = read_json(valued["value"] / "value.json")
    assert learned["gradient_steps"] == len(learned["batches"]) == ROLLOUT.max_steps
    assert learned["samples_drawn"] == 8 * 32
    snapshot = read_json(valued["compose"] / "optimize.json")["snapshots"][-1]
    assert snapshot["samples_drawn"] == learned["samples_drawn"]
    strength = snapshot["knob_value"]
    folder = valued["compose"] / snapshot["folder"]
    assert read_json(folder / "recipe.json") == {
        "policies": [{"folder": "../../members/initial", "weight": 1.0}],
        "value": {"folder": "../../members/value", "weight": strength, "top_k": 0},
    }
    # pi_ref exp(strength V) at the token after the prompt, by the models themselves
    world = build(WORLD)
    start = load_policy(artifacts["initial"] / "model")
    ids = torch.from_numpy(world.heldout_prompts.ids_NT).long()
    with torch.no_grad():
        plain, values, found = (
            model(input_ids=ids).logits[:, -1]
            for model in (start, load_policy(valued["value"] / "model"), load_policy(folder))
        )
    assert values.abs().max() > 0.01
    torch.testing.assert_close(
        token_logps(found), token_logps(plain + strength * values), rtol=1e-4, atol=1e-4
    )


def _cell(method: str) -> Cell:
    return graph(systems.method(method), systems.proxy("single")).cell


def test_the_run_of_another_method_is_that_methods_own() -> None:
    mixed, own = Graph(_cell(str(MIXTURE))), Graph(_cell("dpo"))
    made = mixed.merge((0.1, 0.2))
    assert made.name == "compose"
    assert dict(made.inputs)["optimize.0"].key == own.optimize(None, (0.1, 0.2)).key
    assert not mixed.cell.method.sees_proxy  # dpo does not
    assert systems.method(str(VALUED)).sees_proxy


def test_only_what_is_composed_names_what_opens_it() -> None:
    opener = "overopt.models.composed"
    mixed, own = Graph(_cell(str(MIXTURE))), Graph(_cell("dpo"))
    assert opener in mixed.evaluate(mixed.merge((0.1,))).extra_code
    assert opener not in own.evaluate(own.optimize(None, (0.1,))).extra_code


def test_methods_that_compose_nothing_say_nothing_of_it() -> None:
    for name in ("dpo", "warp", "bon"):
        assert not {"member", "composes", "values"} & set(systems.method(name).to_json())
    assert systems.method(str(MIXTURE)).to_json()["member"] == systems.method("dpo").to_json()


@pytest.mark.parametrize(
    ("found", "put", "said"),
    [
        ('param("dpo"', 'param("bon"', "family selection, which trains nothing"),
        ('param("dpo"', 'param("dop"', "Did you mean dpo"),
        ('param("dpo"', 'param("mine.py"', "name a shipped or installed method"),
        ("config: Config, knob: float", "knob: float", r"compose is called as compose\(config, k"),
        ("def compose", "def composed", r"defines merge\(config, initial, trained, knob\)"),
    ],
)
def test_a_wrong_file_is_refused(found: str, put: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MIXTURE.read_text().replace(found, put))
    with pytest.raises(UserError, match=said):
        systems.method(str(path))


@pytest.mark.parametrize(
    ("put", "said"),
    [
        ("(knob, knob)", "weights to 2 trained policies, but there are 1"),
        ("(float('nan'),)", "compose returns NaN or infinity"),
    ],
)
def test_a_rehearsal_tries_the_composition(put: str, said: str, tmp_path: Path) -> None:
    rehearse(systems.method(str(MIXTURE)))
    path = tmp_path / "mine.py"
    path.write_text(MIXTURE.read_text().replace("(knob,)", put))
    with pytest.raises(UserError, match=said):
        rehearse(systems.method(str(path)))


@pytest.mark.parametrize(
    ("found", "put", "said"),
    [
        ("valued.reward_R[:, None] * valued.mask_RT", "valued.reward_R", r"returns shape \(3,\)"),
        ("(value_RT - target_RT).square()", "target_RT", "does not depend on the values"),
        ("(value_RT - target_RT)", "(value_RT / 0)", "value_loss returns NaN or infinity"),
        ("Composition(1.0, value", "Composition(1.0, (1.0,), value", "there are 0"),
    ],
)
def test_a_rehearsal_tries_the_values(found: str, put: str, said: str, tmp_path: Path) -> None:
    rehearse(systems.method(str(VALUED)))
    path = tmp_path / "mine.py"
    path.write_text(VALUED.read_text().replace(found, put))
    with pytest.raises(UserError, match=said):
        rehearse(systems.method(str(path)))
