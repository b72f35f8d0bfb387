"""What labels say beside the preference: by the rule, through noise, turned to a side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.label_columns import LabelColumns, load_columns
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import Column, Table, read_json, write_json, write_table
from overopt.catalog import systems
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.run.own_files import without_place
from overopt.spec.noise import NoiseSpec
from overopt.spec.world import WorldSpec
from overopt.stages import proxy
from overopt.stages.own import label_columns
from overopt.stages.own import proxy as own_proxy
from overopt.worlds.arithmetic.outcomes import judge
from overopt.worlds.contract import build, render
from overopt.worlds.reviews.categories import categorize as of_reviews
from overopt.worlds.tabular.categories import categorize as of_tabular
from overopt.worlds.tokens import Tokens
from systems import path

from .conftest import PROXY, WORLD

ALL = ["category", "strength", "terms"]
TERMS = ("affinity", "neighbors", "mention", "repetition", "stray")


def columns(
    artifacts: dict[str, Path], out: Path, noise: str = "0", asked: list[str] = ALL
) -> LabelColumns:
    out.mkdir()
    params = {
        "world": WORLD.to_json(),
        "columns": asked,
        "noise": NoiseSpec.parse(noise).to_json(),
        "seed": 0,
    }
    inputs = {role: artifacts[role] for role in ("labels", "gold", "pool")}
    label_columns.run(params, inputs, out, silent)
    return load_columns(out, artifacts["labels"])


def test_columns_are_those_of_the_rule(artifacts: dict[str, Path], tmp_path: Path) -> None:
    found = columns(artifacts, tmp_path / "out")
    world = build(WORLD)
    pairs = load_preferences(artifacts["labels"], world).preferences
    sd = read_json(artifacts["pool"] / "summary.json")["gold_sd"]
    better, worse = (
        world.gold_terms(pairs.prompts, side) for side in (pairs.chosen, pairs.rejected)
    )
    expected_PK = np.stack([np.sign(better[name] - worse[name]) for name in TERMS], axis=1)
    assert np.array_equal(found.values["terms"], expected_PK)
    assert set(np.unique(expected_PK)) == {-1.0, 0.0, 1.0}
    apart_P = np.abs(sum(better.values()) - sum(worse.values())) / sd
    assert found.values["strength"] == pytest.approx(apart_P, abs=1e-5)
    assert np.array_equal(found.values["category"], of_tabular(world, pairs.prompts))
    assert found.sizes == {"category": 5, "strength": 1, "terms": 5}


def test_terms_go_through_the_noise_each_on_its_own_and_ties_stay_ties(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    clean = columns(artifacts, tmp_path / "clean", asked=["terms"]).values["terms"]
    noisy = columns(artifacts, tmp_path / "noisy", "0.25", asked=["terms"]).values["terms"]
    turned = columns(artifacts, tmp_path / "turned", "1", asked=["terms"]).values["terms"]
    assert np.array_equal(turned, np.negative(clean))
    assert ((noisy == 0) == (clean == 0)).all()
    flipped_PK = (noisy == np.negative(clean)) & (clean != 0)
    for flips, told in zip(flipped_PK.sum(0), (clean != 0).sum(0), strict=True):
        assert flips <= 24  # a quarter of 96 pairs, of which some are tied
        assert flips >= 24 - (96 - told)
    assert not np.array_equal(flipped_PK[:, 0], flipped_PK[:, 1])


def test_ratings_are_the_terms_of_both_sides_and_change_over_where_noise_turns_them(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    asked = ["ratings", "terms"]
    found = columns(artifacts, tmp_path / "clean", asked=asked)
    world = build(WORLD)
    pairs = load_preferences(artifacts["labels"], world).preferences
    sd = read_json(artifacts["pool"] / "summary.json")["gold_sd"]
    rated = [world.gold_terms(pairs.prompts, side) for side in (pairs.chosen, pairs.rejected)]
    expected_P2K = np.stack([np.stack([of[name] for name in TERMS], 1) for of in rated], 1) / sd
    assert found.values["ratings"] == pytest.approx(expected_P2K, abs=1e-5)
    assert found.sizes == {"terms": 5, "ratings": 5}
    noisy = columns(artifacts, tmp_path / "noisy", "0.25", asked=asked)
    clean_PK = np.asarray(found.values["terms"], np.float32)
    turned_PK = (noisy.values["terms"] == -clean_PK) & (clean_PK != 0)
    assert turned_PK.any() and not turned_PK.all()
    swapped_P2K = np.where(turned_PK[:, None], expected_P2K[:, ::-1], expected_P2K)
    assert noisy.values["ratings"] == pytest.approx(swapped_P2K, abs=1e-5)
    alone = columns(artifacts, tmp_path / "alone", "0.25", asked=["ratings"])
    assert np.array_equal(alone.values["ratings"], noisy.values["ratings"])
    assert alone.sizes == {"ratings": 5} and "terms" not in alone.values


def test_only_what_is_asked_for_is_written(artifacts: dict[str, Path], tmp_path: Path) -> None:
    columns(artifacts, tmp_path / "out", asked=["category"])
    assert Table(tmp_path / "out" / "columns.parquet").columns == ["category"]


def test_terms_of_another_gold_are_refused(artifacts: dict[str, Path], tmp_path: Path) -> None:
    gold = tmp_path / "gold"
    gold.mkdir()
    write_json(gold / "gold.json", {"kind": "rule", "name": "rule"})
    columns({**artifacts, "gold": gold}, tmp_path / "rule", asked=["terms"])
    write_json(gold / "gold.json", {"kind": "model", "name": "other"})
    with pytest.raises(UserError, match="for a gold that is a rule"):
        columns({**artifacts, "gold": gold}, tmp_path / "other", asked=["terms"])


def test_a_loss_finds_the_columns_of_its_comparisons(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    """Without margin it is a plain proxy, byte for byte; with one, the loss starts higher."""
    columns(artifacts, tmp_path / "columns")
    inputs = {"labels": artifacts["labels"], "columns": tmp_path / "columns"}
    first = []
    for margin in (0.0, 2.0):
        out = tmp_path / str(margin)
        out.mkdir()
        spec = systems.proxy(str(path("labeled")), {"margin": margin})
        params = {"world": WORLD.to_json(), "seed": 0, "proxy": PROXY.to_json(), "member": 0}
        own_proxy.run(
            {**params, "system": without_place(spec).to_json()},
            {**inputs, "labeled.py": path("labeled")},
            out,
            silent,
        )
        first.append(read_json(out / "training.json")["first_loss_nats"])
    plain = tmp_path / "plain"
    plain.mkdir()
    proxy.run(params, {"labels": artifacts["labels"]}, plain, silent)
    for name in ("model/model.safetensors", "normalization.json", "training.json"):
        assert (tmp_path / "0.0" / name).read_bytes() == (plain / name).read_bytes(), name
    assert first[1] > first[0] + 0.2


def test_reviews_are_told_apart_by_their_tone() -> None:
    world = build(WorldSpec(kind="reviews", seed=0, train_prompts=64, heldout_prompts=8))
    kind_N = of_reviews(world, world.train_prompts)
    assert set(kind_N) == set(range(5))
    words = np.array(world.vocabulary)
    for kind, tone in enumerate(("scathing", "critical", "balanced", "friendly", "glowing")):
        assert set(words[world.train_prompts.ids_NT[kind_N == kind, 6]]) == {tone}


def answered_sums(place: Path, clean: list[int]) -> tuple[dict[str, Any], dict[str, Path]]:
    """Parameters and inputs for the outcomes of four pairs, of which some are marked as clean.

    The first response of a pair says the right answer, the second one more; the first is
    preferred in the first and third pair.
    """
    spec = WorldSpec(kind="arithmetic", seed=0, train_prompts=64, heldout_prompts=8)
    world = build(spec)
    texts = render(world, world.train_prompts)
    ids = {word: token for token, word in enumerate(world.vocabulary)}
    problems = [text.removeprefix("<bos>").removesuffix("<sep>").split() for text in texts[:4]]
    sums = [
        sum(
            -int(number) if sign == "-" else int(number)
            for sign, number in zip(["+", *problem[1::2]], problem[::2], strict=True)
        )
        for problem in problems
    ]
    rows = [
        [ids["answer"], ids[str((total + wrong) % 10)], ids["<eos>"]]
        for wrong in (0, 1)
        for total in sums
    ]
    both = Tokens.from_padded(np.array(rows, np.int32))
    right_N = judge(world, world.train_prompts.take(np.arange(8) % 4), both)
    assert right_N.tolist() == [True] * 4 + [False] * 4
    pairs: dict[str, Column] = {
        "prompt_id": np.arange(4),
        "a": both.take(np.arange(4)),
        "b": both.take(np.arange(4, 8)),
        "a_preferred": np.array([1, 0, 1, 0]),
        "flipped": np.zeros(4, np.int8),
    }
    for name in ("labels", "gold", "pool"):
        (place / name).mkdir()
    write_table(place / "labels" / "labels.parquet", pairs)
    write_table(place / "labels" / "marks.parquet", {"clean": np.array(clean)})
    write_json(place / "gold" / "gold.json", {"kind": "rule", "name": "rule"})
    write_json(place / "pool" / "summary.json", {"gold_sd": 1.0})
    params = {"world": spec.to_json(), "columns": ["outcomes"], "seed": 0}
    return params, {name: place / name for name in ("labels", "gold", "pool")}


def test_outcomes_are_those_of_either_side_as_the_label_turns_them(tmp_path: Path) -> None:
    params, inputs = answered_sums(tmp_path, clean=[0, 0, 0, 0])
    found = {}
    for noise in ("0", "1"):
        (tmp_path / noise).mkdir()
        asked = {**params, "noise": NoiseSpec.parse(noise).to_json()}
        label_columns.run(asked, inputs, tmp_path / noise, silent)
        found[noise] = load_columns(tmp_path / noise, tmp_path / "labels").values["outcomes"]
    assert found["0"].tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert np.array_equal(found["1"], 1 - found["0"])
