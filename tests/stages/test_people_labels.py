"""Labels by people who differ, through uneven noise, with flaws; by hand where that can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.flaws import occurrences, pleasing_words
from overopt.artifacts.label_columns import load_columns
from overopt.artifacts.people import opinions, share_out, spoil_by_group
from overopt.artifacts.tables import Table, read_json
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.spec.flaw import FlawSpec
from overopt.spec.labeling import PopulationSpec
from overopt.spec.noise import NoiseSpec
from overopt.spec.world import WorldSpec
from overopt.stages.own import label_columns
from overopt.stages.people import labels, pairs
from overopt.worlds.contract import build
from overopt.worlds.tabular.categories import categorize
from overopt.worlds.tokens import EOS, Tokens

from .conftest import WORLD

ONE = PopulationSpec(name="one", share=0.75, weights={"mention": 3.0})
OTHER = PopulationSpec(name="other", share=0.25, weights={"affinity": 0.0, "mention": -1.0})
PEOPLE = [one.to_json() for one in (ONE, OTHER)]


def label(artifacts: dict[str, Path], out: Path, noise: str = "0", **more: Any) -> Path:
    out.mkdir()
    params = {
        "world": WORLD.to_json(), "noise": NoiseSpec.parse(noise).to_json(), "seed": 0, **more,
    }  # fmt: skip
    inputs = {role: artifacts[role] for role in ("pairs", "gold", "pool")}
    labels.run(params, inputs, out, silent)
    return out


def said(folder: Path) -> np.ndarray:
    return Table(folder / "labels.parquet").integers("a_preferred").astype(bool)


def test_pairs_are_shared_out_exactly_and_at_random() -> None:
    part_P = share_out([0.5, 0.25, 0.25], 101, np.random.default_rng(0))
    assert np.bincount(part_P).tolist() == [50, 26, 25]
    other_P = share_out([0.5, 0.25, 0.25], 101, np.random.default_rng(1))
    assert not np.array_equal(part_P, other_P)


def test_an_opinion_weighs_the_terms() -> None:
    terms = {"affinity": np.array([1.0, 1.0]), "mention": np.array([-0.5, -0.5])}
    found_P = opinions(terms, [ONE, OTHER], np.array([0, 1]))
    assert found_P.tolist() == [1.0 - 1.5, 0.0 + 0.5]
    strange = PopulationSpec(name="odd", share=1.0, weights={"beauty": 1.0})
    with pytest.raises(UserError, match=r"no term beauty; its terms are affinity, mention"):
        opinions(terms, [strange], np.array([0, 0]))


def test_noise_strikes_each_group_at_its_own_rate() -> None:
    first_P = np.ones(400, dtype=np.bool_)
    group_P = np.repeat([0, 1, 2], [200, 100, 100])
    noise, rng = NoiseSpec.parse("0.2"), np.random.default_rng(0)
    flipped_P = ~spoil_by_group(first_P, group_P, [0.0, 0.5, 2.5], noise, rng)
    assert [int(flipped_P[group_P == g].sum()) for g in range(3)] == [0, 10, 50]
    redone_P = ~spoil_by_group(
        first_P, group_P, [0.0, 0.0, 3.0], NoiseSpec.parse("random:0.3"), rng
    )
    assert not redone_P[:300].any() and 25 <= redone_P[300:].sum() <= 65


def test_nothing_asked_and_a_placebo_are_the_plain_labels(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    nothing = label(artifacts, tmp_path / "nothing")
    placebo = label(artifacts, tmp_path / "placebo", flaw=FlawSpec.parse("placebo:1").to_json())
    for name in ("labels.parquet", "heldout.parquet"):
        plain = (artifacts["labels"] / name).read_bytes()
        assert (nothing / name).read_bytes() == plain == (placebo / name).read_bytes(), name
    assert not (nothing / "marks.parquet").exists()
    assert read_json(placebo / "labels.json")["flaw"] == {"label": "placebo:1"}


def test_each_population_labels_by_its_own_weights(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    out = label(artifacts, tmp_path / "out", labeling={"annotators": PEOPLE})
    part_P = Table(out / "marks.parquet").integers("annotator")
    assert np.bincount(part_P).tolist() == [72, 24]
    table, world = Table(artifacts["pairs"] / "pairs.parquet"), build(WORLD)
    prompts = world.train_prompts.take(table.integers("prompt_id"))
    a, b = (world.gold_terms(prompts, table.tokens(side)) for side in "ab")
    for part, factors in enumerate(({"mention": 3.0}, {"affinity": 0.0, "mention": -1.0})):
        better_P = np.sum([factors.get(name, 1.0) * (a[name] - b[name]) for name in a], axis=0)
        mine_P = (part_P == part) & (np.abs(better_P) > 1e-9)
        assert mine_P.sum() > 15
        assert np.array_equal(said(out)[mine_P], better_P[mine_P] > 0)
    record = read_json(out / "labels.json")
    assert record["annotators"] == ["one", "other"]
    assert record["against_own_opinion"] == 0.0 < record["realized_flip_rate"]


def test_clean_labels_pass_no_noise_and_say_so(artifacts: dict[str, Path], tmp_path: Path) -> None:
    out = label(artifacts, tmp_path / "out", "1", labeling={"clean": 0.25})
    clean_P = Table(out / "marks.parquet").integers("clean").astype(bool)
    assert clean_P.sum() == 24 == read_json(out / "labels.json")["clean_labels"]
    plain_P = said(artifacts["labels"])
    assert np.array_equal(said(out), np.where(clean_P, plain_P, ~plain_P))


def test_a_system_finds_who_labeled_and_what_is_clean(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    given = label(artifacts, tmp_path / "out", labeling={"annotators": PEOPLE, "clean": 0.5})
    columns = tmp_path / "columns"
    columns.mkdir()
    params = {
        "world": WORLD.to_json(), "columns": ["annotator", "clean"], "annotators": 2,
        "noise": NoiseSpec.parse("0").to_json(), "seed": 0,
    }  # fmt: skip
    inputs = {"labels": given, "gold": artifacts["gold"], "pool": artifacts["pool"]}
    label_columns.run(params, inputs, columns, silent)
    found = load_columns(columns, given)
    assert found.sizes == {"annotator": 2, "clean": 1}
    assert found.values["annotator"].dtype == np.int64 and found.values["clean"].dtype == np.bool_
    marks = Table(given / "marks.parquet")
    assert np.array_equal(found.values["annotator"], marks.integers("annotator"))
    assert np.array_equal(found.values["clean"], marks.integers("clean") == 1)


def test_uneven_noise_needs_a_factor_for_each_group(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    noise = {"by": "categories", "factors": [0.0, 0.0, 0.0, 0.0, 5.0]}
    out = label(artifacts, tmp_path / "out", "0.2", labeling={"noise": noise})
    prompts = build(WORLD).train_prompts
    group_P = categorize(build(WORLD), prompts)[
        Table(artifacts["pairs"] / "pairs.parquet").integers("prompt_id")
    ]
    flipped_P = said(out) != said(artifacts["labels"])
    assert np.array_equal(flipped_P, group_P == 4) and flipped_P.any()
    with pytest.raises(UserError, match=r"has 2 numbers, and prompts of a tabular world have 5"):
        label(artifacts, tmp_path / "o", labeling={"noise": {**noise, "factors": [1.0, 1.0]}})


def test_a_length_that_pleases_as_much_as_gold_tips_what_it_should(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    table = Table(artifacts["labels"] / "labels.parquet")
    a, b = table.tokens("a").length_N, table.tokens("b").length_N
    sd = read_json(artifacts["pool"] / "summary.json")["gold_sd"]
    spread = np.concatenate([a, b]).std()
    gold_P = (table.floats("gold_a") - table.floats("gold_b")) / sd
    for dose in (0.5, 1.0):
        flaw = FlawSpec(name="length", dose=dose).to_json()
        out = label(artifacts, tmp_path / str(dose), flaw=flaw)
        seen_P = gold_P + dose * (a.astype(float) - b) / spread
        told = np.abs(seen_P) > 1e-9
        assert np.array_equal(said(out)[told], seen_P[told] > 0)
    assert (said(tmp_path / "1.0") != said(artifacts["labels"])).sum() >= 5


@pytest.mark.parametrize("name", ["lexical", "praise", "blind-spot"])
def test_other_flaws_have_no_effect_at_dose_0_and_one_at_dose_1(
    name: str, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    plain_P = said(artifacts["labels"])
    wrong = []
    for dose in ("0", "1"):
        flaw = FlawSpec.parse(f"{name}:{dose}").to_json()
        out = label(artifacts, tmp_path / dose, flaw=flaw)
        wrong.append(int((said(out) != plain_P).sum()))
    assert wrong[0] == 0 < wrong[1]
    told = read_json(out / "labels.json")["flaw"]
    assert {"lexical": "words", "praise": "feature_sd", "blind-spot": "term"}[name] in told


def test_praise_of_reviews_is_liking_of_any_kind() -> None:
    from overopt.worlds.reviews.flaws import praise

    world = build(WorldSpec(kind="reviews", seed=0, train_prompts=8, heldout_prompts=4))
    rule = vars(world)["rule"]
    good, bad = int(np.argmax(rule.valence_V)), int(np.argmin(rule.valence_V))
    said_N = praise(world, Tokens.from_padded(np.array([[good, good, EOS], [bad, good, EOS]])))
    assert said_N.tolist() == [2 * rule.valence_V[good], rule.valence_V[good]]


def test_words_that_please_are_neither_rare_nor_everywhere() -> None:
    rows = np.full((40, 4), 9)
    rows[:8, 0], rows[8:20, 1], rows[:10, 2], rows[0, 3] = 5, 6, 7, 8
    ids = pleasing_words((Tokens.from_padded(rows[:20]), Tokens.from_padded(rows[20:])),
                         np.random.default_rng(0))  # fmt: skip
    assert ids.tolist() == [5, 6, 7]
    assert occurrences(Tokens.from_padded(rows[:1]), ids).tolist() == [2.0]


def test_a_part_of_the_prompts_has_no_pairs(artifacts: dict[str, Path], tmp_path: Path) -> None:
    flaw = FlawSpec.parse("coverage:0.5")
    params = {
        "world": WORLD.to_json(), "seed": 0, "comparisons": 48, "calibration_samples": 64,
        "flaw": flaw.to_json(),
    }  # fmt: skip
    pairs.run(params, {"initial": artifacts["initial"]}, tmp_path, silent)
    seen = set(Table(tmp_path / "pairs.parquet").integers("prompt_id").tolist())
    assert len(seen) == 8 == read_json(tmp_path / "coverage.json")["prompts"]
    assert len(set(Table(tmp_path / "heldout.parquet").integers("prompt_id"))) == 16
    world = build(WORLD)
    kinds = categorize(world, world.train_prompts)
    left_out = set(range(16)) - seen
    both = set(kinds[sorted(seen)]) & set(kinds[sorted(left_out)])
    assert len(both) <= 1, "one kind at most is left out in part"
