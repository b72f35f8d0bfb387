"""Rounds: pairs of the last policy, labels of all rounds, and runs that add up what they cost."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.reward import SystemReward
from overopt.artifacts.rounds.reward import MeanReward
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.catalog import systems
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.execution.contract import silent
from overopt.models.policy import load_policy
from overopt.models.rewards.reward import load_reward
from overopt.models.weights import weights_of
from overopt.run.own_files import without_place
from overopt.spec.noise import NoiseSpec
from overopt.spec.rollout import RolloutSpec
from overopt.stages import labels, optimize
from overopt.stages.rounds import averaged, joined, pairs, scores
from overopt.stages.rounds import optimize as later
from overopt.worlds.contract import world_of
from overopt.worlds.tokens import Tokens

from ..conftest import WORLD
from ..hand_made import ids, texts, write_scores

STEPS = 3
PARAMS: dict[str, Any] = {
    "world": WORLD.to_json(),
    "seed": 0,
    "method": without_place(systems.method("rloo")).to_json(),
    "system": systems.proxy("single").to_json(),
    "settings": RolloutSpec(
        learning_rate=0.05,
        prompts_per_step=4,
        samples_per_prompt=4,
        max_steps=STEPS,
        warmup_steps=0,
        max_gradient_norm=1.0,
    ).to_json(),
    "engine": "native",
    "kl_grid_nats": [],
}


@pytest.fixture(scope="module")
def first(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The inputs of a second round: the first one's run beside what both are made from."""
    out = tmp_path_factory.mktemp("first")
    inputs = {"initial": artifacts["initial"], "proxy.0": artifacts["proxy"]}
    optimize.run(PARAMS, inputs, out, silent)
    return {**inputs, "before": out}


def _last(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    place = read_json(folder / "optimize.json")["snapshots"][-1]["folder"]
    return {name: value.numpy() for name, value in weights_of(load_policy(folder / place)).items()}


def _first_kl(folder: Path) -> float:
    with (folder / "trajectory.csv").open(encoding="utf-8") as stream:
        return float(next(csv.DictReader(stream))["kl_nats"])


def test_a_round_from_the_initial_policy_is_that_run_and_costs_both(
    first: dict[str, Path], tmp_path: Path
) -> None:
    later.run({**PARAMS, "start": "initial"}, first, tmp_path, silent)
    mine, theirs = _last(tmp_path), _last(first["before"])
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)
    record, before = (read_json(one / "optimize.json") for one in (tmp_path, first["before"]))
    names = ("gradient_steps", "samples_drawn", "tokens_processed")
    for name in names:
        assert record[name] == 2 * before[name] > 0
        assert record["snapshots"][-1][name] == 2 * before["snapshots"][-1][name]
    assert record["snapshots"][-1]["step"] == STEPS


def test_a_round_may_go_on_from_the_last_policy(first: dict[str, Path], tmp_path: Path) -> None:
    later.run({**PARAMS, "start": "last"}, first, tmp_path, silent)
    assert _first_kl(first["before"]) == pytest.approx(0.0, abs=1e-6)
    assert _first_kl(tmp_path) > 0.01
    mine, theirs = _last(tmp_path), _last(first["before"])
    assert any(not np.array_equal(mine[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(("share", "start"), [(0.0, "initial"), (1.0, "last")])
def test_an_interpolated_start_has_the_other_two_as_its_ends(
    first: dict[str, Path], tmp_path: Path, share: float, start: str
) -> None:
    for name, told in (("liti", {"start": "liti", "share": share}), ("end", {"start": start})):
        (tmp_path / name).mkdir()
        later.run({**PARAMS, **told}, first, tmp_path / name, silent)
    mine, theirs = _last(tmp_path / "liti"), _last(tmp_path / "end")
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)


def test_a_start_in_the_middle_has_the_mean_weights(first: dict[str, Path]) -> None:
    place = read_json(first["before"] / "optimize.json")["snapshots"][-1]["folder"]
    initial = load_policy(first["initial"] / "model")
    own = {name: value.clone() for name, value in weights_of(initial).items()}
    last = load_policy(first["before"] / place)
    later.interpolate(initial, last, 0.25)
    for name, value in weights_of(initial).items():
        expected = 0.75 * own[name] + 0.25 * weights_of(last)[name]
        assert np.allclose(value.numpy(), expected.numpy())
        assert not np.array_equal(expected.numpy(), own[name].numpy()) or not own[name].any()


def test_a_mean_over_equal_rounds_is_the_run_against_one(
    first: dict[str, Path], tmp_path: Path
) -> None:
    again = {f"round.{number}.proxy.0": first["proxy.0"] for number in (1, 2, 3)}
    later.run({**PARAMS, "start": "initial", "earlier": 3}, {**first, **again}, tmp_path, silent)
    mine, theirs = _last(tmp_path), _last(first["before"])
    for name in theirs:
        assert np.allclose(mine[name], theirs[name], atol=1e-5)


def test_a_mean_reward_is_that_of_the_scores(artifacts: dict[str, Path]) -> None:
    """A second round whose proxy has the mean moved by 2 SDs: every reward is 1 SD lower."""
    world = world_of({"world": WORLD.to_json()})
    spec = systems.proxy("single")
    one = SystemReward({"proxy.0": artifacts["proxy"]}, spec, world)

    def lower(prompts: Tokens, responses: Tokens) -> np.ndarray[Any, np.dtype[np.float64]]:
        return one.members(prompts, responses) - 2.0

    reward = MeanReward([one.members, lower], open_as(OpenedProxy, spec))
    prompts, responses = world.heldout_prompts.take(np.zeros(2, np.int64)), texts([[5], [6, 7]])
    assert reward(prompts, responses) == pytest.approx(one(prompts, responses) - 1.0)
    assert reward.members(prompts, responses).shape == (1, 2)


def test_an_average_of_equal_proxies_is_that_proxy(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    inputs = {f"round.{number}": artifacts["proxy"] for number in (1, 2)}
    inputs["labels"] = artifacts["labels"]
    averaged.run({"world": WORLD.to_json(), "rounds": 2}, inputs, tmp_path, silent)
    mine, theirs = (
        weights_of(load_reward(one / "model")) for one in (tmp_path, artifacts["proxy"])
    )
    assert all(np.array_equal(mine[name].numpy(), theirs[name].numpy()) for name in theirs)
    scales = [read_json(one / "normalization.json") for one in (tmp_path, artifacts["proxy"])]
    assert scales[0] == pytest.approx(scales[1])


def test_scores_of_rounds_are_averaged_row_by_row(tmp_path: Path) -> None:
    drawn = texts([[1], [2], [3], [4]])
    inputs = {
        f"score.{number}": write_scores(tmp_path / str(number), ids(2, 2), drawn, given)
        for number, given in ((1, [0.0, 1.0, 2.0, 3.0]), (2, [2.0, 1.0, 0.0, -3.0]))
    }
    (tmp_path / "out").mkdir()
    scores.run({"rounds": 2}, inputs, tmp_path / "out", silent)
    table = Table(tmp_path / "out" / "scores.parquet")
    assert table.floats("score").tolist() == [1.0, 1.0, 1.0, 0.0]
    assert table.integers("sample_id").tolist() == [0, 1, 0, 1]
    inputs["score.2"] = write_scores(tmp_path / "else", ids(2, 2), texts([[1]] * 4), [0.0] * 4)
    with pytest.raises(ValueError, match="differ in fingerprint"):
        scores.run({"rounds": 2}, inputs, tmp_path / "out", silent)


def test_prompts_may_be_those_of_the_first_round(
    artifacts: dict[str, Path], first: dict[str, Path], tmp_path: Path
) -> None:
    """With a seed of their own, which would else draw other prompts."""
    old = Table(artifacts["pairs"] / "pairs.parquet")
    inputs = {"optimize": first["before"], "first": artifacts["pairs"]}
    params = {"world": WORLD.to_json(), "seed": 7, "comparisons": len(old)}
    prompts = {}
    for name, told in (("anew", {}), ("repeated", {"repeated": True})):
        (tmp_path / name).mkdir()
        pairs.run({**params, **told}, inputs, tmp_path / name, silent)
        prompts[name] = Table(tmp_path / name / "pairs.parquet").integers("prompt_id")
    assert np.array_equal(prompts["repeated"], old.integers("prompt_id"))
    assert not np.array_equal(prompts["anew"], old.integers("prompt_id"))


def test_pairs_are_of_the_last_policy_and_labels_add_up(
    artifacts: dict[str, Path], first: dict[str, Path], tmp_path: Path
) -> None:
    drawn, fresh, both = (tmp_path / name for name in ("pairs", "labels", "joined"))
    for folder in (drawn, fresh, both):
        folder.mkdir()
    inputs = {"optimize": first["before"], "first": artifacts["pairs"]}
    pairs.run({"world": WORLD.to_json(), "seed": 0, "comparisons": 40}, inputs, drawn, silent)
    new, old = (Table(folder / "pairs.parquet") for folder in (drawn, artifacts["pairs"]))
    assert len(new) == 40
    # the same prompts and uniform numbers, another policy
    same = new.integers("prompt_id")[:16] == old.integers("prompt_id")[:16]
    assert same.all()
    assert (new.tokens("a").flat()[:40] != old.tokens("a").flat()[:40]).any()
    heldout = [(one / "heldout.parquet").read_bytes() for one in (drawn, artifacts["pairs"])]
    assert heldout[0] == heldout[1]
    noise = {"noise": NoiseSpec.parse("0.25").to_json(), "preference": "gold"}
    scored = {"pairs": drawn, "gold": artifacts["gold"], "pool": artifacts["pool"]}
    labels.run({"world": WORLD.to_json(), "seed": 1, **noise}, scored, fresh, silent)
    joined.run({}, {"earlier": artifacts["labels"], "fresh": fresh}, both, silent)
    parts = [Table(folder / "labels.parquet") for folder in (artifacts["labels"], fresh)]
    whole = Table(both / "labels.parquet")
    assert len(whole) == sum(map(len, parts)) == 136
    for name in ("prompt_id", "a_preferred", "flipped"):
        expected = np.concatenate([part.integers(name) for part in parts])
        assert np.array_equal(whole.integers(name), expected)
    assert len(Table(both / "heldout.parquet")) == 32


def test_flip_rates_are_weighed_by_what_gold_decides(tmp_path: Path) -> None:
    """.1 of 90 decided pairs and .25 of 20: 14 of 110."""
    inputs = {}
    for role, comparisons, ties, rate in (("earlier", 100, 10, 0.1), ("fresh", 20, 0, 0.25)):
        inputs[role] = tmp_path / role
        inputs[role].mkdir()
        record = {"comparisons": comparisons, "ties_of_gold": ties, "realized_flip_rate": rate}
        write_json(inputs[role] / "labels.json", {"noise": "0.1", **record})
    told = joined.tell(inputs)
    assert told["comparisons"] == 120 and told["ties_of_gold"] == 10
    assert told["realized_flip_rate"] == pytest.approx(14 / 110)
