"""What labels say beside the preference, where some are clean or noise is uneven: as labels are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.label_columns import LabelColumns, load_columns
from overopt.artifacts.tables import Table
from overopt.execution.contract import silent
from overopt.spec.noise import NoiseSpec
from overopt.stages.own import label_columns as even
from overopt.stages.people import label_columns
from overopt.worlds.contract import build
from overopt.worlds.tabular.categories import categorize

from .conftest import WORLD
from .test_label_columns import answered_sums
from .test_people_labels import label

ASKED = ["category", "ratings", "strength", "terms"]
LAST_KIND = {"noise": {"by": "categories", "factors": [0.0, 0.0, 0.0, 0.0, 5.0]}}
"""At a rate of 0.2 all labels of one kind of prompts are turned, and none of the others."""


def _found(
    artifacts: dict[str, Path],
    out: Path,
    noise: str,
    labeling: dict[str, Any],
    asked: list[str] = ASKED,
) -> tuple[Path, LabelColumns]:
    """Labels of people, and the columns that stand beside them."""
    given = label(artifacts, out, noise, labeling=labeling)
    (out / "columns").mkdir()
    params = {
        "world": WORLD.to_json(), "columns": asked, "noise": NoiseSpec.parse(noise).to_json(),
        "seed": 0, "labeling": labeling,
    }  # fmt: skip
    inputs = {"gold": artifacts["gold"], "pool": artifacts["pool"], "labels": given}
    label_columns.run(params, {**inputs, "marked": given}, out / "columns", silent)
    return given, load_columns(out / "columns", given)


def _plain(
    artifacts: dict[str, Path], given: Path, out: Path, noise: str, asked: list[str] = ASKED
) -> LabelColumns:
    """The columns as a task without people has them, for the same preferences."""
    out.mkdir()
    params = {
        "world": WORLD.to_json(), "columns": asked, "noise": NoiseSpec.parse(noise).to_json(),
        "seed": 0,
    }  # fmt: skip
    inputs = {"gold": artifacts["gold"], "pool": artifacts["pool"], "labels": given}
    even.run(params, inputs, out, silent)
    return load_columns(out, given)


def _rows(chosen_P: np.ndarray, then: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.where(chosen_P.reshape(-1, *(1,) * (then.ndim - 1)), then, other)


@pytest.mark.parametrize("noise", ["0.25", "1", "bt:1"])
def test_clean_pairs_say_what_is_so_and_the_others_what_noise_makes_of_it(
    noise: str, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    given, found = _found(artifacts, tmp_path / "out", noise, {"clean": 0.25})
    clean_P = Table(given / "marks.parquet").integers("clean") == 1
    assert clean_P.sum() == 24
    own = _plain(artifacts, given, tmp_path / "own", "0")
    noisy = _plain(artifacts, given, tmp_path / "noisy", noise)
    assert found.sizes == own.sizes
    for name in ASKED:
        expected = _rows(clean_P, own.values[name], noisy.values[name])
        assert np.array_equal(found.values[name], expected), name
    assert not np.array_equal(noisy.values["terms"][clean_P], own.values["terms"][clean_P])


def test_each_group_has_the_rate_of_its_labels(artifacts: dict[str, Path], tmp_path: Path) -> None:
    given, found = _found(artifacts, tmp_path / "out", "0.2", LAST_KIND)
    world = build(WORLD)
    prompt_id_P = Table(given / "labels.parquet").integers("prompt_id")
    struck_P = categorize(world, world.train_prompts.take(prompt_id_P)) == 4
    assert 0 < struck_P.sum() < len(struck_P)
    own = _plain(artifacts, given, tmp_path / "own", "0")
    turned = _plain(artifacts, given, tmp_path / "turned", "1")
    for name in ASKED:
        expected = _rows(struck_P, turned.values[name], own.values[name])
        assert np.array_equal(found.values[name], expected), name
    assert not np.array_equal(found.values["ratings"], own.values["ratings"])


def test_clean_pairs_of_a_struck_group_stay_clean_and_terms_are_struck_apart(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    half = {"noise": {"by": "categories", "factors": [1.0, 1.0, 1.0, 1.0, 1.0]}, "clean": 0.5}
    given, found = _found(artifacts, tmp_path / "out", "0.5", half, ["ratings", "terms"])
    own = _plain(artifacts, given, tmp_path / "own", "0", ["ratings", "terms"])
    clean_P = Table(given / "marks.parquet").integers("clean") == 1
    turned_PK = (found.values["terms"] != own.values["terms"]) & (own.values["terms"] != 0)
    assert not turned_PK[clean_P].any()
    rates = turned_PK[~clean_P].mean(axis=0)
    assert ((rates > 0.05) & (rates < 0.7)).all()
    assert not np.array_equal(turned_PK[:, 0], turned_PK[:, 1])
    swapped_P2K = np.where(
        turned_PK[:, None], own.values["ratings"][:, ::-1], own.values["ratings"]
    )
    assert np.array_equal(found.values["ratings"], swapped_P2K)


def test_ratings_alone_are_the_same_and_bring_no_terms(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    _, both = _found(artifacts, tmp_path / "both", "0.25", {"clean": 0.25})
    _, alone = _found(artifacts, tmp_path / "alone", "0.25", {"clean": 0.25}, ["ratings"])
    assert np.array_equal(alone.values["ratings"], both.values["ratings"])
    assert set(alone.values) == {"ratings"} and alone.sizes == {"ratings": 5}


def test_outcomes_of_clean_pairs_are_right(tmp_path: Path) -> None:
    """Of four pairs, whose first side is right, two are clean; noise turns all others."""
    params, inputs = answered_sums(tmp_path, clean=[1, 0, 0, 1])
    (tmp_path / "out").mkdir()
    asked = {**params, "noise": NoiseSpec.parse("1").to_json(), "labeling": {"clean": 0.5}}
    label_columns.run(asked, {**inputs, "marked": inputs["labels"]}, tmp_path / "out", silent)
    found = load_columns(tmp_path / "out", inputs["labels"]).values["outcomes"]
    assert found.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]
