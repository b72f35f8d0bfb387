"""A proxy that is a policy trained by its system's own loss."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.policy_proxy import PolicyScorer, open_member
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import read_json
from overopt.catalog import systems
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.models.rewards.ratio import PolicyPair
from overopt.models.sequences import join
from overopt.run.own_files import without_place
from overopt.stages.own import trained_policy
from overopt.worlds.contract import build
from overopt.worlds.steps import stepwise
from systems import path

from .conftest import PROXY, WORLD
from .test_steps import Place

OWN = {"judged.py": path("judged")}


@pytest.fixture(scope="module")
def arithmetic(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("arithmetic"))


def test_it_learns_from_the_reference_on_and_is_scored_by_what_it_says(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    system = without_place(systems.proxy(str(path("judged")))).to_json()
    params = {"world": WORLD.to_json(), "seed": 0, "proxy": PROXY.to_json(), "member": 0}
    inputs = {role: artifacts[role] for role in ("labels", "initial")}
    trained_policy.run({**params, "system": system}, {**inputs, **OWN}, tmp_path, silent)
    training = read_json(tmp_path / "training.json")
    assert training["first_loss_nats"] == pytest.approx(math.log(2), abs=1e-5)
    assert training["last_loss_nats"] < 0.68
    assert training["heldout_accuracy"] > 0.55
    world = build(WORLD)
    member = open_member(tmp_path, world, system, OWN)
    pairs = load_preferences(artifacts["labels"], world, "heldout").preferences
    policy, reference = (
        load_policy(folder) for folder in (tmp_path / "model", artifacts["initial"] / "model")
    )
    ratio_N = score_logps(policy, pairs.prompts, pairs.chosen).sum(-1)
    ratio_N = ratio_N - score_logps(reference, pairs.prompts, pairs.chosen).sum(-1)
    expected_N = (0.5 * ratio_N - member.mean) / member.sd
    assert member.score(pairs.prompts, pairs.chosen) == pytest.approx(expected_N, abs=1e-3)


def test_a_score_of_steps_is_told_where_they_end(arithmetic: Place) -> None:
    graph = arithmetic.graph(proxy="implicit-prm")
    folder = arithmetic.made(graph.proxy(0))
    world = arithmetic.world
    prompts = world.train_prompts.take(np.array([3, 0, 5]))
    responses = world.references(prompts, np.random.default_rng(0))
    pair = PolicyPair(load_policy(folder / "model"), load_policy(folder / "reference"))
    found = {}
    for over in ("outcome", "sum", "mean"):
        scorer = PolicyScorer(systems.proxy("implicit-prm", {"over": over}).to_json(), {}, world)
        found[over] = scorer.score(pair, prompts, responses)
    assert np.abs(found["outcome"]).min() > 0
    assert found["sum"] == pytest.approx(found["outcome"], abs=1e-6)
    steps_N = stepwise(world).step_ends(responses).sum(axis=1)
    assert found["mean"] == pytest.approx(found["sum"] / steps_N, abs=1e-6)
    reward_B, said = scorer.read(pair, join(prompts, responses))
    assert reward_B.detach().numpy() == pytest.approx(found["mean"], abs=1e-6)
    assert said.reference_logp_BT.shape == responses.ids_NT.shape


def test_a_world_without_outcomes_is_refused_before_a_run(arithmetic: Place) -> None:
    graph = arithmetic.graph(proxy="implicit-prm", task="tabular")
    with pytest.raises(UserError, match="asks for the outcomes of responses, but those of a tab"):
        graph.proxy(0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def loss", 'START = "policy"\n\n\ndef loss', "score and loss make members policies"),
        ("def loss", "def vary(config, member): ...\n\n\ndef loss", "score and loss make members"),
        ("def loss", "def lost", "go together; declare both or neither"),
        (
            "def score",
            'INPUTS = ("step_ends",)\n\n\ndef scored',
            "INPUTS are for a loss of a model with a head of its own",
        ),
    ],
)
def test_what_does_not_go_with_policies_of_its_own_is_told(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    text = path("judged").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        systems.proxy(str(tmp_path / "mine.py"))
