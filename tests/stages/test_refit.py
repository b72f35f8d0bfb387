"""Proxies that follow the policy: what they learn from, and who may ask gold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.proxy import Member
from overopt.artifacts.refit import RefitReward, open_refit
from overopt.artifacts.reward import open_reward
from overopt.catalog import systems, toml_files
from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.run.cell import Cell
from overopt.run.graph import Graph
from overopt.spec.noise import NoiseSpec
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import world_of
from overopt.worlds.tokens import Tokens

from .conftest import PROXY, WORLD

SYSTEM = systems.proxy("online_rm", {"every": 2, "pairs": 8, "epochs": 30})


def _opened(
    artifacts: dict[str, Path], noise: str = "0", system: ProxySystemSpec = SYSTEM
) -> RefitReward:
    inputs = {"proxy.0": artifacts["proxy"]}
    inputs |= {f"refit.{role}": artifacts[role] for role in ("labels", "gold", "pool")}
    params = {"proxy": PROXY.to_json(), "noise": NoiseSpec.parse(noise).to_json(), "seed": 0}
    world = world_of({"world": WORLD.to_json()})
    return open_refit(inputs, params, system.to_json(), world)


def _rollout(seed: int) -> tuple[Tokens, Tokens]:
    """Four prompts with four samples each."""
    world = world_of({"world": WORLD.to_json()})
    prompts = world.train_prompts.take(np.repeat(np.arange(4), 4))
    return prompts, world.references(prompts, np.random.default_rng(seed))


def _accuracy(reward: RefitReward, prompts: Tokens, responses: Tokens) -> float:
    """Share of the neighboring samples that differ which the reward orders as gold does."""
    world = world_of({"world": WORLD.to_json()})
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


def test_it_learns_what_gold_says_of_fresh_samples(artifacts: dict[str, Path]) -> None:
    reward = _opened(artifacts)
    prompts, responses = _rollout(1)
    before = _accuracy(reward, prompts, responses)
    for _ in range(6):
        reward.observe(prompts, responses)
    assert reward.labels_asked == 3 * 8  # at every second rollout all eight pairs of neighbors
    assert _accuracy(reward, prompts, responses) >= max(before, 0.8)


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
        config: dict[str, object] = {"every": 2, "pairs": 8, "epochs": 3}
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
    asked = Request(method=["rloo"], proxy=["online_rm"], engine="trl")
    with pytest.raises(UserError, match="is trained during a run; give --engine native"):
        resolve(asked)


def test_gold_during_a_run_has_to_be_declared(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    text = Path(systems.__file__).parents[1].joinpath("proxies/online_rm.py").read_text()
    own.write_text(text.replace('USES_GOLD = "training"', 'USES_GOLD = "none"'))
    with pytest.raises(UserError, match="gold labels fresh samples for refit"):
        systems.proxy(str(own))
