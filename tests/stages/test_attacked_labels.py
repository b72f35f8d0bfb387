"""Preference data with what an adversary has found, and the adversary's reward."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.proxy import Member
from overopt.artifacts.reward import open_reward
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.catalog import systems
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.run.own_files import without_place
from overopt.stages import proxy
from overopt.stages.own import attacked_labels
from overopt.worlds.contract import build
from systems import path

from .conftest import PROXY, WORLD

OWN = {"fooled.py": path("fooled")}
SYSTEM = without_place(systems.proxy(str(path("fooled"))))


@pytest.fixture(scope="module")
def inputs(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two plain proxies, and an adversary that is still the initial policy."""
    second, run = (tmp_path_factory.mktemp(name) for name in ("second", "run"))
    params = {"world": WORLD.to_json(), "seed": 0, "proxy": PROXY.to_json(), "member": 1}
    proxy.run(params, {"labels": artifacts["labels"]}, second, silent)
    shutil.copytree(artifacts["initial"] / "model", run / "last")
    write_json(run / "optimize.json", {"snapshots": [{"step": 1, "folder": "last"}]})
    made = {role: artifacts[role] for role in ("labels", "gold", "initial")}
    return {**made, "optimized": run, "proxy.0": artifacts["proxy"], "proxy.1": second, **OWN}


def test_what_fools_the_first_model_is_added_as_worse(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    params = {"world": WORLD.to_json(), "system": SYSTEM.to_json(), "seed": 0}
    attacked_labels.run(params, inputs, tmp_path, silent)
    world = build(WORLD)
    old, new = (
        load_preferences(folder, world).preferences for folder in (inputs["labels"], tmp_path)
    )
    count = old.rows()
    kept = new.take(np.arange(count))
    assert np.array_equal(kept.chosen.flat(), old.chosen.flat())
    assert np.array_equal(kept.rejected.flat(), old.rejected.flat())
    added = new.take(np.arange(count, new.rows()))
    assert 0.25 * count < added.rows() < 0.75 * count  # one of two draws of one policy is higher
    target = Member(inputs["proxy.0"], world)
    worse_N = target.score(added.prompts, added.rejected)
    assert (worse_N > target.score(added.prompts, added.chosen)).all()
    record = read_json(tmp_path / "labels.json")
    assert record["adversarial"] == added.rows()
    gold = [world.gold(added.prompts, side) for side in (added.chosen, added.rejected)]
    assert record["adversarial_that_gold_prefers"] == int((gold[0] < gold[1]).sum())
    assert record["comparisons"] == new.rows()
    table = Table(tmp_path / "labels.parquet")
    assert table.floats("gold_a")[count:] == pytest.approx(gold[0])


def test_the_adversary_is_after_what_attack_says(inputs: dict[str, Path]) -> None:
    world = build(WORLD)
    pairs = load_preferences(inputs["labels"], world, "heldout").preferences
    reward = open_reward(inputs, SYSTEM.attacked.to_json(), world)
    first, second = (Member(inputs[f"proxy.{m}"], world) for m in range(2))
    expected_N = first.score(pairs.prompts, pairs.chosen) - second.score(
        pairs.prompts, pairs.chosen
    )
    assert reward(pairs.prompts, pairs.chosen) == pytest.approx(expected_N)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('ATTACKER = "rloo"', 'ATTACKER = "dpo"', "is a method of the family pairs"),
        ('ATTACKER = "rloo"', "", "go together; declare all or none"),
        ("def attack", "def combine", "go together; declare all or none"),
        ("def pick", "def picks", "pick"),
    ],
)
def test_what_an_attack_needs_is_told(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = path("fooled").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        systems.proxy(str(tmp_path / "mine.py"))
