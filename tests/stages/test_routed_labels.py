"""Gold labels the pairs that are chosen, and the rest keep what they have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts import pair_tags
from overopt.artifacts.tables import Table, read_json
from overopt.catalog import systems
from overopt.execution.contract import silent
from overopt.models.policy import load_policy
from overopt.run.own_files import without_place
from overopt.spec.noise import NoiseSpec
from overopt.stages import labels, proxy
from overopt.stages.own import routed_labels
from overopt.stages.own.routed_labels import try_labels
from overopt.worlds.contract import build
from overopt.worlds.tabular import categories
from systems import path

from .conftest import PROXY, WORLD
from .hand_made import texts

PAIRS = 96


def noisy(artifacts: dict[str, Path], out: Path, noise: str) -> Path:
    out.mkdir()
    params = {"world": WORLD.to_json(), "seed": 0, "preference": "gold"}
    inputs = {role: artifacts[role] for role in ("pairs", "gold", "pool")}
    labels.run({**params, "noise": NoiseSpec.parse(noise).to_json()}, inputs, out, silent)
    return out


def routed(
    artifacts: dict[str, Path], folder: Path, noise: str, budget: float
) -> tuple[Path, Path]:
    """The labels that there are, and those in which gold has labeled a share."""
    cheap, out = noisy(artifacts, folder / "cheap", noise), folder / "routed"
    out.mkdir()
    system = systems.proxy(str(path("routed")), {"budget": budget})
    params = {
        "world": WORLD.to_json(),
        "system": without_place(system).to_json(),
        "noise": NoiseSpec.parse(noise).to_json(),
        "seed": 0,
        "categories": True,
    }
    inputs = {role: artifacts[role] for role in ("gold", "pool", "initial")}
    inputs |= {"labels": cheap, "routed.py": path("routed")}
    routed_labels.run(params, inputs, out, silent)
    return cheap, out


def test_the_chosen_pairs_have_gold_labels_and_no_other(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    cheap, out = routed(artifacts, tmp_path, "1", 0.25)
    before, after = Table(cheap / "labels.parquet"), Table(out / "labels.parquet")
    gold_a_P, gold_b_P = after.floats("gold_a"), after.floats("gold_b")
    said_P, kept_P = (one.integers("a_preferred").astype(bool) for one in (after, before))
    differs_P = gold_a_P != gold_b_P
    chosen_P = np.arange(PAIRS) >= PAIRS - 24
    assert (said_P == (gold_a_P > gold_b_P))[chosen_P & differs_P].all()
    assert (said_P == kept_P)[~chosen_P | ~differs_P].all()
    # all labels were turned: what is wrong now is all that differs and was not chosen
    wrong_P = differs_P & ~chosen_P
    assert (after.integers("flipped").astype(bool) == wrong_P).all()
    record = read_json(out / "labels.json")
    assert record["gold_labels"] == 24 and record["gold_labels_of_trials"] == 32
    assert record["realized_flip_rate"] == pytest.approx(wrong_P.sum() / differs_P.sum())
    assert (out / "heldout.parquet").read_bytes() == (cheap / "heldout.parquet").read_bytes()


@pytest.mark.parametrize(("noise", "budget"), [("0.25", 0.0), ("0", 1.0), ("0", 0.25)])
def test_without_a_budget_or_without_noise_nothing_changes(
    noise: str, budget: float, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    cheap, out = routed(artifacts, tmp_path, noise, budget)
    assert (out / "labels.parquet").read_bytes() == (cheap / "labels.parquet").read_bytes()
    trained = []
    for folder in (cheap, out):
        made = tmp_path / f"proxy_of_{folder.name}"
        made.mkdir()
        params = {"world": WORLD.to_json(), "seed": 0, "proxy": PROXY.to_json(), "member": 0}
        proxy.run(params, {"labels": folder}, made, silent)
        trained.append((made / "model/model.safetensors").read_bytes())
    assert trained[0] == trained[1]


def test_with_all_of_the_budget_every_label_is_gold(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    _, out = routed(artifacts, tmp_path, "0.25", 1.0)
    assert read_json(out / "labels.json")["realized_flip_rate"] == 0.0


def test_trials_tell_right_labels_from_wrong_ones() -> None:
    rng = np.random.default_rng(0)
    state_HD = rng.normal(size=(400, 3))
    difference_H = state_HD @ np.array([1.0, -1.0, 2.0])
    right_H = difference_H > 0
    assert try_labels(state_HD, difference_H, right_H) > 0.95
    assert try_labels(state_HD, difference_H, ~right_H) < 0.05
    assert try_labels(state_HD, np.zeros(400), right_H) == 0.5


def test_tags_by_hand(artifacts: dict[str, Path]) -> None:
    world, policy = build(WORLD), load_policy(artifacts["initial"] / "model")
    prompts = world.train_prompts.take(np.array([0, 1, 2]))
    pairs = pair_tags.Pairs(prompts, texts([[4], [4, 5], [6]]), texts([[4], [5, 6, 7], [7, 8]]))
    measured = pair_tags.measure(pairs, policy)
    assert measured["length"].tolist() == [4.0, 7.0, 5.0]  # the end of each counts
    assert measured["unequal"].tolist() == [0.0, 1.0, 1.0]
    # with the end: {4, e}; {4, 5, e} and {5, 6, 7, e}; {6, e} and {7, 8, e}
    assert measured["overlap"] == pytest.approx([1.0, 2 / 5, 1 / 4])
    assert measured["unlikely"][0] == pytest.approx(0.0, abs=1e-5)
    found_PF = pair_tags.tags(measured, measured, pair_tags.categories(categories, world, prompts))
    assert found_PF.shape == (3, 5 + 6 * 3)
    assert (found_PF[:, :5].sum(1) == 1).all()
    assert found_PF[:, 5 + 3 : 5 + 6].tolist() == np.eye(3, dtype=bool)[[0, 2, 1]].tolist()
    assert pair_tags.categories(None, world, prompts).shape == (3, 0)
