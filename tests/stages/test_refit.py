"""Proxies that follow the policy: what they learn from, and who may ask gold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from overopt.artifacts import refit
from overopt.artifacts.proxy import Member
from overopt.artifacts.randomness import derived_seed
from overopt.artifacts.refit import RefitReward, open_refit
from overopt.artifacts.reward import open_reward
from overopt.catalog import systems, toml_files
from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.models.policy import load_policy
from overopt.models.rewards import reward_fitting
from overopt.models.rewards.refitting import restart
from overopt.models.rewards.reward import load_reward
from overopt.models.rewards.reward_fitting import RewardTraining
from overopt.models.starts import scratch
from overopt.models.weights import weights_of
from overopt.run.cell import Cell
from overopt.run.graph import Graph
from overopt.spec.noise import NoiseSpec
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import world_of
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens

from .conftest import PROXY, WORLD

SYSTEM = systems.proxy("online_rm", {"every": 2, "pairs": 8})


def _opened(
    artifacts: dict[str, Path], noise: str = "0", system: ProxySystemSpec = SYSTEM
) -> RefitReward:
    inputs = {"proxy.0": artifacts["proxy"]}
    inputs |= {f"refit.{role}": artifacts[role] for role in ("labels", "gold", "pool")}
    params = {"proxy": PROXY.to_json(), "noise": NoiseSpec.parse(noise).to_json(), "seed": 0}
    world = world_of({"world": WORLD.to_json()})
    return open_refit(inputs, params, system.to_json(), world)


def _rollout(seed: int, prompts: int = 4, samples: int = 4) -> tuple[Tokens, Tokens]:
    """The first prompts with some samples each."""
    world = world_of({"world": WORLD.to_json()})
    asked = world.train_prompts.take(np.repeat(np.arange(prompts), samples))
    return asked, world.references(asked, np.random.default_rng(seed))


def _heldout_accuracy(reward: RefitReward) -> float:
    """Share of 1,024 pairs that no refit saw, and whose sides differ, ordered as gold does."""
    world = world_of({"world": WORLD.to_json()})
    prompts = world.train_prompts.take(np.arange(2048) // 2 % world.train_prompts.rows())
    responses = world.references(prompts, np.random.default_rng(99))
    gold, score = world.gold(prompts, responses), reward(prompts, responses)
    first = np.arange(0, len(gold), 2)
    differs = gold[first] != gold[first + 1]
    agrees = (gold[first] > gold[first + 1]) == (score[first] > score[first + 1])
    return float(agrees[differs].mean())


def test_before_its_first_refit_it_is_the_reward_that_stays(artifacts: dict[str, Path]) -> None:
    prompts, responses = _rollout(0)
    reward = _opened(artifacts)
    world = world_of({"world": WORLD.to_json()})
    inputs = {"proxy.0": artifacts["proxy"]}
    stays = open_reward(inputs, systems.proxy("single").to_json(), world)
    assert np.array_equal(reward(prompts, responses), stays(prompts, responses))
    reward.observe(prompts, responses)
    assert reward.labels_asked == 0
    assert np.array_equal(reward(prompts, responses), stays(prompts, responses))


def test_under_noise_many_refits_make_it_better_on_pairs_that_it_never_saw(
    artifacts: dict[str, Path],
) -> None:
    """A quarter of the labels is wrong, which pairs that it was trained on would not tell."""
    reward = _opened(artifacts, "0.25", systems.proxy("online_rm", {"every": 1}))
    before = _heldout_accuracy(reward)
    rng = np.random.default_rng(0)
    for _ in range(20):
        reward.observe(*_rollout(int(rng.integers(1 << 30)), prompts=16, samples=8))
    assert reward.labels_asked == 20 * 64
    assert _heldout_accuracy(reward) > before + 0.05


def test_every_refit_begins_where_the_proxy_once_began(
    artifacts: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the task's epochs, and over more labels each time."""
    seen: list[tuple[dict[str, torch.Tensor], int, int]] = []

    def spy(model: PreTrainedModel, data: Preferences, *rest: Any, **named: Any) -> RewardTraining:
        weights = {name: value.clone() for name, value in weights_of(model).items()}
        seen.append((weights, data.rows(), rest[1].epochs))
        return train_reward(model, data, *rest, **named)

    train_reward = reward_fitting.train_reward
    monkeypatch.setattr(refit, "train_reward", spy)
    reward = _opened(artifacts)
    for round_ in range(4):
        reward.observe(*_rollout(round_))
    world = world_of({"world": WORLD.to_json()})
    assert PROXY.architecture is not None
    seed = derived_seed(0, "proxy", 0, "weights")
    start = weights_of(scratch.start_reward(PROXY.architecture, world, seed)[0])
    assert [(rows, epochs) for _, rows, epochs in seen] == [(104, 2), (112, 2)]
    for weights, _, _ in seen:
        torch.testing.assert_close(weights, start, rtol=0, atol=0)


def test_members_that_start_from_the_policy_start_there_again(
    artifacts: dict[str, Path],
) -> None:
    """Its trunk whole, and the head that its seed draws."""
    world = world_of({"world": WORLD.to_json()})
    model = load_reward(artifacts["proxy"] / "model")
    restart(PROXY.started("policy"), artifacts["initial"], world, model, 5)
    weights = weights_of(model)
    policy = weights_of(load_policy(artifacts["initial"] / "model"))
    trunk = {name: value for name, value in policy.items() if name in weights}
    assert len(trunk) == len(weights) - 1
    torch.testing.assert_close({name: weights[name] for name in trunk}, trunk, rtol=0, atol=0)


def test_a_proxy_that_tells_nothing_apart_ends_the_run_with_one_sentence(
    artifacts: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refit, "score", lambda model, prompts, side: np.zeros(side.rows()))
    reward = _opened(artifacts)
    reward.observe(*_rollout(0))
    with pytest.raises(ValueError, match="gives all held-out responses the same score"):
        reward.observe(*_rollout(1))


def test_neighbors_are_of_one_prompt_however_many_samples_it_has(
    artifacts: dict[str, Path],
) -> None:
    """Three samples of each of four prompts: rows 2 and 3, 8 and 9 belong to two prompts."""
    reward = _opened(artifacts)
    world = world_of({"world": WORLD.to_json()})
    prompts = world.train_prompts.take(np.repeat(np.arange(4), 3))
    assert len(np.unique(world.train_prompts.take(np.arange(4)).ids_NT, axis=0)) == 4
    responses = world.references(prompts, np.random.default_rng(3))
    for _ in range(2):
        reward.observe(prompts, responses)
    assert reward.labels_asked == 4


def test_members_learn_as_they_read(artifacts: dict[str, Path]) -> None:
    """A proxy that reads "5" for every other word learns nothing of what tells responses apart."""
    reward = _opened(artifacts)
    (member,) = reward._members

    def blind(prompts: Tokens, responses: Tokens) -> tuple[Tokens, Tokens]:
        ids_NT = np.where(responses.ids_NT >= 4, 5, responses.ids_NT)
        return prompts, Tokens(ids_NT, responses.length_N)

    assert isinstance(member, Member)
    member.reading = blind
    prompts, responses = _rollout(1)
    swapped = Tokens(
        np.where(responses.ids_NT >= 4, 4 + (responses.ids_NT + 1) % 4, responses.ids_NT),
        responses.length_N,
    )
    for _ in range(2):
        reward.observe(prompts, responses)
    assert reward.labels_asked == 8
    assert np.array_equal(reward(prompts, responses), reward(prompts, swapped))


def test_the_same_run_gives_the_same_rewards(artifacts: dict[str, Path]) -> None:
    prompts, responses = _rollout(2)
    found = []
    for noise in ("0", "0", "0.5"):
        reward = _opened(artifacts, noise)
        for _ in range(2):
            reward.observe(prompts, responses)
        found.append(reward(prompts, responses))
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_a_loss_of_its_own_is_told_which_comparisons_are_fresh(artifacts: dict[str, Path]) -> None:
    """Without its further term parl is online-rm; with it, fresh comparisons pull otherwise."""
    prompts, responses = _rollout(2)
    found = []
    for name, weight in (("online_rm", None), ("parl", 0.0), ("parl", 1.0)):
        config: dict[str, object] = {"every": 2, "pairs": 8}
        config |= {} if weight is None else {"weight": weight}
        reward = _opened(artifacts, system=systems.proxy(name, config))
        for _ in range(2):
            reward.observe(prompts, responses)
        found.append(reward(prompts, responses))
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_only_runs_against_it_have_gold(tmp_path: Path) -> None:
    task = toml_files.load_task("tabular")
    gold, noise = toml_files.load_gold(task.gold), NoiseSpec.parse("0")
    roles = {}
    for name in ("single", "online_rm"):
        for method in ("rloo", "dpo"):
            system = systems.proxy(name)
            cell = Cell(task, gold, systems.method(method), system, noise, 0)
            made = Graph(cell).optimize(None, (1.0,))
            roles[name, method] = {role for role, _ in made.inputs}
    extra = roles["online_rm", "rloo"] - roles["single", "rloo"]
    assert extra == {"refit.labels", "refit.gold", "refit.pool"}
    assert roles["online_rm", "dpo"] == roles["single", "dpo"]
    own = task.model_copy(update={"proxy": task.proxy.started("policy")})
    cell = Cell(own, gold, systems.method("rloo"), systems.proxy("online_rm"), noise, 0)
    graph = Graph(cell)
    made = graph.optimize(None, (1.0,))
    assert dict(made.inputs)["refit.initial"] == graph.initial
    assert "overopt.models.starts.policy" in made.extra_code
    asked = Request(method=["rloo"], proxy=["online_rm"], engine="trl")
    with pytest.raises(UserError, match="is trained during a run; give --engine native"):
        resolve(asked)


def test_gold_during_a_run_has_to_be_declared(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    text = Path(systems.__file__).parents[1].joinpath("proxies/online_rm.py").read_text()
    own.write_text(text.replace('USES_GOLD = "training"', 'USES_GOLD = "none"'))
    with pytest.raises(UserError, match="gold labels fresh samples for refit"):
        systems.proxy(str(own))
