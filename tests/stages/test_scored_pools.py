"""What a selection method is handed beside scores: aligned, centered, and only what it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from overopt.artifacts.listing import Listing
from overopt.artifacts.points import Pool
from overopt.artifacts.scored_pools import read_scored
from overopt.artifacts.scores import aligned_features
from overopt.artifacts.tables import Table, write_table
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.models.features import response_features
from overopt.models.policy import load_policy
from overopt.spec.declare import MethodInput
from overopt.spec.world import WorldSpec
from overopt.stages.beside import features
from overopt.worlds.contract import build

from .conftest import WORLD
from .hand_made import texts

FEATURES: tuple[MethodInput, ...] = ("features",)
ANSWERS: tuple[MethodInput, ...] = ("answers",)


@pytest.fixture(scope="module")
def read(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Features of the pool."""
    out = tmp_path_factory.mktemp("features")
    inputs = {"initial": artifacts["initial"], "samples": artifacts["pool"]}
    features.run({"world": WORLD.to_json()}, inputs, out, silent)
    return {"pool": artifacts["pool"], "features.pool": out}


def hand_made(table: Table) -> Pool:
    """A pool with the table's rows; scores are of no interest."""
    prompts = int(table.integers("prompt_id").max()) + 1
    nothing_BN = np.zeros((prompts, len(table) // prompts))
    return Pool(nothing_BN, nothing_BN, nothing_BN, table.tokens("response"), 0.0, 1.0, 0.0)


def test_features_are_means_of_states_over_the_response(
    artifacts: dict[str, Path], read: dict[str, Path]
) -> None:
    world, policy = build(WORLD), load_policy(artifacts["initial"] / "model")
    table = Table(read["pool"] / "samples.parquet")
    prompts = world.heldout_prompts.take(table.integers("prompt_id"))
    responses = table.tokens("response")
    found_NF = response_features(policy, prompts, responses)
    for row in (0, 7, len(table) - 1):
        prompt = prompts.ids_NT[row, : prompts.length_N[row]].tolist()
        answer = responses.ids_NT[row, : responses.length_N[row]].tolist()
        with torch.no_grad():
            state_LD = policy.base_model(torch.tensor([prompt + answer])).last_hidden_state[0]
        mean_D = state_LD[len(prompt) :].mean(0).numpy()
        assert found_NF[row] == pytest.approx(mean_D, abs=1e-5)


def test_only_what_is_named_is_there(read: dict[str, Path]) -> None:
    table = Table(read["pool"] / "samples.parquet")
    pool, world = hand_made(table), build(WORLD)
    plain, listed = read_scored(read, (), world, pool, None)
    assert listed is None
    assert all(part is None for part in plain[2:])
    whole, _ = read_scored(read, (*FEATURES, "reference_logp"), world, pool, None)
    assert whole.unit_BNF is not None and whole.reference_logp_BN is not None
    feature_NF = aligned_features(read["features.pool"], table)
    centered_NF = feature_NF - feature_NF.mean(axis=0)
    length_N1 = np.linalg.norm(centered_NF, axis=1, keepdims=True)
    found_NF = whole.unit_BNF.reshape(centered_NF.shape)
    np.testing.assert_allclose(found_NF, centered_NF / length_N1, atol=1e-6)
    assert whole.reference_logp_BN.ravel().tolist() == table.floats("reference_logp").tolist()
    with pytest.raises(UserError, match="use --task arithmetic"):
        read_scored(read, ANSWERS, world, pool, None)


def test_features_of_other_samples_are_refused(read: dict[str, Path], tmp_path: Path) -> None:
    table = Table(read["pool"] / "samples.parquet")
    rows = np.arange(len(table))
    columns: dict[str, Any] = {name: table.integers(name) for name in ("prompt_id", "sample_id")}
    other = {**columns, "response": table.tokens("response").take(rows[::-1].copy())}
    write_table(tmp_path / "samples.parquet", other)
    with pytest.raises(ValueError, match="the features belong to other responses"):
        read_scored({**read, "pool": tmp_path}, FEATURES, build(WORLD), hand_made(table), None)


def test_rows_keep_their_values_when_prompts_are_taken_or_drawn(read: dict[str, Path]) -> None:
    table = Table(read["pool"] / "samples.parquet")
    whole, _ = read_scored(read, FEATURES, build(WORLD), hand_made(table), None)
    assert whole.unit_BNF is not None
    some = whole.take(np.array([2, 0]))
    assert some.unit_BNF is not None and some.answer_BN is None
    np.testing.assert_array_equal(some.unit_BNF, whole.unit_BNF[[2, 0]])
    samples = whole.proxy_BN.shape[1]
    drawn = whole.draws(np.array([[samples + 2, samples], [0, 3]]))
    np.testing.assert_array_equal(drawn.proxy_BN[0], whole.proxy_BN[1, [2, 0]])
    np.testing.assert_array_equal(drawn.proxy_BN[1], whole.proxy_BN[0, [0, 3]])
    assert drawn.reference_BN.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert drawn.unit_BNF is None and drawn.similarity_BN is not None
    cosine = whole.unit_BNF[1, 2] @ whole.unit_BNF[1, 0]
    assert drawn.similarity_BN[0] == pytest.approx([(1 + cosine) / 2] * 2)


def test_a_listing_is_read_as_the_pool_is(read: dict[str, Path]) -> None:
    table = Table(read["pool"] / "samples.parquet")
    pool = hand_made(table)
    shape = pool.proxy_BN.shape
    listing = Listing(np.full(shape, 1 / shape[1]), pool.proxy_BN, pool.gold_BN)
    both = {**read, "listing": read["pool"], "features.listing": read["features.pool"]}
    sampled, listed = read_scored(both, FEATURES, build(WORLD), pool, listing)
    assert listed is not None and sampled.unit_BNF is not None and listed.unit_BNF is not None
    np.testing.assert_array_equal(sampled.unit_BNF, listed.unit_BNF)


def test_answers_are_read_from_tokens() -> None:
    spec = WorldSpec(kind="arithmetic", seed=0, train_prompts=4, heldout_prompts=4)
    world: Any = build(spec)
    word = world.notation.id
    said = [word("answer"), word("7")]  # the end is added
    whole = [word("3"), word("+"), word("4"), word("="), word("7"), word(";"), *said]
    twice, none = [*said, word("7")], [word("7")]
    assert world.answers(texts([said, whole, twice, none])).tolist() == [7, 7, -1, -1]
