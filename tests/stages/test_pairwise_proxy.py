"""A proxy that compares: its score is its mean against the frozen responses to the same prompt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.opponents import Opponents, write_opponents
from overopt.artifacts.pairwise_proxy import open_member
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.reward import open_reward
from overopt.artifacts.scores import aligned_scores
from overopt.artifacts.tables import Table, read_json
from overopt.catalog import systems
from overopt.execution.contract import silent
from overopt.run.own_files import without_place
from overopt.stages import score
from overopt.stages.own import opponents
from overopt.stages.own import proxy as own_proxy
from overopt.worlds.contract import build
from overopt.worlds.tokens import Tokens, concatenate
from systems import path

from .conftest import PROXY, WORLD

OWN = {"compared.py": path("compared")}
SYSTEM = without_place(systems.proxy(str(path("compared")))).to_json()


@pytest.fixture(scope="module")
def frozen(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("opponents")
    params = {"world": WORLD.to_json(), "per_prompt": 3, "seed": 0}
    opponents.run(params, {"initial": artifacts["initial"]}, out, silent)
    return out


@pytest.fixture(scope="module")
def trained(
    artifacts: dict[str, Path], frozen: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("proxy")
    params = {"world": WORLD.to_json(), "seed": 0, "proxy": PROXY.to_json(), "member": 0}
    inputs = {"labels": artifacts["labels"], "opponents": frozen, **OWN}
    own_proxy.run({**params, "system": SYSTEM}, inputs, out, silent)
    return out


def test_every_prompt_finds_its_own_frozen_responses(frozen: Path) -> None:
    world, found = build(WORLD), Opponents(frozen)
    assert found.per_prompt == 3
    prompts = concatenate([world.train_prompts, world.heldout_prompts])
    assert found.find(prompts).tolist() == list(range(22))
    table = Table(frozen / "opponents.parquet")
    numbers = np.array([20, 3])
    theirs = found.of(numbers)
    rows = np.array([60, 61, 62, 9, 10, 11])
    assert np.array_equal(theirs.flat(), table.tokens("response").take(rows).flat())
    asked = table.tokens("prompt").take(rows)
    assert np.array_equal(asked.ids_NT, prompts.take(np.repeat(numbers, 3)).ids_NT)
    stranger = prompts.take(np.array([0]))
    stranger.ids_NT[0, 1] = 2
    with pytest.raises(ValueError, match="no responses to compare with"):
        found.find(stranger)


def test_the_score_is_the_mean_against_the_frozen_responses(
    artifacts: dict[str, Path], trained: Path, frozen: Path
) -> None:
    world = build(WORLD)
    member = open_member(trained, world, SYSTEM, OWN)
    prompts = world.heldout_prompts.take(np.array([0, 3, 0, 5]))
    responses = world.references(prompts, np.random.default_rng(0))
    raw_N = member.comparer.against_initial(prompts, responses)
    store = Opponents(frozen)
    for row in range(4):
        only = np.array([row])
        theirs = store.of(store.find(prompts.take(only)))
        same = np.zeros(3, dtype=int)
        chance_J = member.comparer.prefer(
            prompts.take(only).take(same), responses.take(only).take(same), theirs
        )
        assert raw_N[row] == pytest.approx(chance_J.mean(), abs=1e-6)
    assert member.score(prompts, responses) == pytest.approx((raw_N - member.mean) / member.sd)
    heldout = load_preferences(artifacts["labels"], world, "heldout").preferences
    score_N = np.concatenate(
        [member.score(heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)]
    )
    assert score_N.mean() == pytest.approx(0.0, abs=1e-5)
    assert score_N.std(ddof=1) == pytest.approx(1.0, abs=1e-5)


def test_samples_are_compared_with_each_other(trained: Path) -> None:
    world = build(WORLD)
    comparer = open_member(trained, world, SYSTEM, OWN).comparer
    prompts = world.heldout_prompts.take(np.array([1, 4]))
    responses = world.references(
        prompts.take(np.array([0, 0, 0, 1, 1, 1])), np.random.default_rng(1)
    )
    chance_BNN = comparer.prefer_among(prompts, responses)
    assert chance_BNN.shape == (2, 3, 3)
    assert chance_BNN + chance_BNN.transpose(0, 2, 1) == pytest.approx(np.ones((2, 3, 3)))
    for b, i, k in ((0, 0, 1), (1, 2, 0)):
        alone = comparer.prefer(
            prompts.take(np.array([b])),
            responses.take(np.array([3 * b + i])),
            responses.take(np.array([3 * b + k])),
        )
        assert chance_BNN[b, i, k] == pytest.approx(alone[0], abs=1e-6)


def test_it_learns_and_every_reader_scores_alike(
    artifacts: dict[str, Path], trained: Path, tmp_path: Path
) -> None:
    training = read_json(trained / "training.json")
    assert training["last_loss_nats"] < training["first_loss_nats"]
    world = build(WORLD)
    member = open_member(trained, world, SYSTEM, OWN)
    heldout = load_preferences(artifacts["labels"], world, "heldout").preferences
    chance_P = member.comparer.prefer(heldout.prompts, heldout.chosen, heldout.rejected)
    assert training["heldout_accuracy"] == pytest.approx(
        ((chance_P > 0.5) + 0.5 * (chance_P == 0.5)).mean(), abs=0.02
    )
    assert training["heldout_loss_nats"] == pytest.approx(-np.log(chance_P).mean(), abs=1e-6)
    out = tmp_path / "score"
    out.mkdir()
    params = {"world": WORLD.to_json(), "system": SYSTEM}
    score.run(params, {"samples": artifacts["pool"], "proxy": trained, **OWN}, out, silent)
    samples = Table(artifacts["pool"] / "samples.parquet")
    prompts = world.heldout_prompts.take(samples.integers("prompt_id"))
    expected_N = member.score(prompts, samples.tokens("response"))
    assert aligned_scores(out, samples) == pytest.approx(expected_N, abs=1e-6)
    reward = open_reward({"proxy.0": trained, **OWN}, SYSTEM, world)
    assert np.array_equal(reward(prompts, samples.tokens("response")), expected_N)


def test_prompts_that_come_twice_have_their_responses_once_each(tmp_path: Path) -> None:
    """As data sets have them: the first prompt again at the end, with other responses."""
    prompts = Tokens.from_padded(np.array([[1, 5], [1, 6], [1, 5]], np.int32))
    responses = Tokens.from_padded(np.arange(10, 16, dtype=np.int32)[:, None])
    write_opponents(tmp_path, prompts, responses)
    found = Opponents(tmp_path)
    assert found.per_prompt == 2
    assert found.of(found.find(prompts.take(np.array([1])))).ids_NT.tolist() == [[12], [13]]
    first = found.of(found.find(prompts.take(np.array([0])))).ids_NT.tolist()
    assert first in ([[10], [11]], [[14], [15]])
