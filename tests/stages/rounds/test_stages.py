"""Rounds: pairs of the last policy, labels of all rounds, and runs that add up what they cost."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.tables import Table, read_json, write_json
from overopt.catalog import systems
from overopt.execution.contract import silent
from overopt.models.policy import load_policy
from overopt.models.weights import weights_of
from overopt.run.own_files import without_place
from overopt.spec.noise import NoiseSpec
from overopt.spec.rollout import RolloutSpec
from overopt.stages import labels, optimize
from overopt.stages.rounds import joined, pairs
from overopt.stages.rounds import optimize as later

from ..conftest import WORLD

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
