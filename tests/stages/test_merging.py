"""Merges of runs that end at given steps, their iterations, and the angles between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from overopt.artifacts.tables import read_json
from overopt.catalog import systems
from overopt.execution.contract import silent
from overopt.methods.contract.training import Weights
from overopt.models.policy import load_policy
from overopt.models.weights import weights_of
from overopt.stages import merge
from overopt.stages.beside import angles
from overopt.stages.merging import restart

from .conftest import WORLD
from .test_families import GRID, run_optimize

Merged = dict[str, Path]


def params(**config: Any) -> dict[str, Any]:
    method = systems.method("warp", {"steps": 8, **config})
    return {
        "world": WORLD.to_json(), "method": method.to_json(), "kl_grid_nats": [*GRID, 9.0],
        "seed": 0, "members": 2,
    }  # fmt: skip


@pytest.fixture(scope="session")
def members(
    artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Two runs of 8 steps each."""
    root = tmp_path_factory.mktemp("members")
    made = {"initial": artifacts["initial"]}
    for member in range(2):
        made[f"optimize.{member}"] = root / str(member)
        run_optimize(systems.method("warp"), artifacts, root / str(member), member=member)
    return made


def last_of(folder: Path) -> Weights:
    record = read_json(folder / "optimize.json")
    return weights_of(load_policy(folder / record["snapshots"][-1]["folder"]))


def merged(inputs: Merged, out: Path, **config: Any) -> Weights:
    out.mkdir()
    merge.run(params(**config), inputs, out, silent)
    return last_of(out)


def task_vectors(members: Merged) -> list[Weights]:
    start = weights_of(load_policy(members["initial"] / "model"))
    ended = [last_of(members[f"optimize.{member}"]) for member in range(2)]
    return [{name: one[name] - start[name] for name in start} for one in ended]


def test_the_merged_policy_itself_is_kept_whatever_its_kl(members: Merged, tmp_path: Path) -> None:
    merged(members, tmp_path / "made")
    record = read_json(tmp_path / "made" / "optimize.json")
    last = record["snapshots"][-1]
    assert (last["knob_value"], last["kl_target_nats"]) == (1.0, None)
    assert record["unreached_kl_nats"] == [9.0]
    assert [one["step"] for one in record["snapshots"]] == list(
        range(1, 1 + len(record["snapshots"]))
    )


def test_the_ends_of_the_path_are_the_members(members: Merged, tmp_path: Path) -> None:
    for share in (0, 1):
        found = merged(members, tmp_path / str(share), share=float(share))
        run = last_of(members[f"optimize.{share}"])
        assert all(torch.allclose(found[name], run[name], atol=1e-7) for name in run)


def test_the_middle_of_the_line_is_the_mean(members: Merged, tmp_path: Path) -> None:
    found = merged(members, tmp_path / "made", path="lerp")
    runs = [last_of(members[f"optimize.{member}"]) for member in range(2)]
    for name, value in found.items():
        assert torch.allclose(value, (runs[0][name] + runs[1][name]) / 2, atol=1e-6)


def test_an_iteration_starts_part_of_the_way_to_the_merged_policy(
    members: Merged, tmp_path: Path
) -> None:
    """With LERP: theta + .25 (d_1 + d_2) / 2; the last iteration is drawn to the first start."""
    config = {"path": "lerp", "between": 0.25, "iterations": 2}
    start = tmp_path / "start"
    start.mkdir()
    restart.run(params(**config), members, start, silent)
    initial = weights_of(load_policy(members["initial"] / "model"))
    vectors = task_vectors(members)
    begun = weights_of(load_policy(start / "model"))
    for name, value in begun.items():
        wanted = initial[name] + 0.25 * (vectors[0][name] + vectors[1][name]) / 2
        assert torch.allclose(value, wanted, atol=1e-6)
    spent = read_json(start / "restart.json")
    assert spent["gradient_steps"] == 16
    # the same runs, as if they had started there: the mean of their ends, and no way to go back
    again = merged({**members, "start": start}, tmp_path / "again", **config)
    ends = [last_of(members[f"optimize.{member}"]) for member in range(2)]
    for name, value in again.items():
        assert torch.allclose(value, (ends[0][name] + ends[1][name]) / 2, atol=1e-6)
    record = read_json(tmp_path / "again" / "optimize.json")
    assert record["snapshots"][-1]["gradient_steps"] == 32


def test_angles_layer_by_layer_and_of_all_weights(members: Merged, tmp_path: Path) -> None:
    angles.run(params(), members, tmp_path, silent)
    rows = {row["layer"]: row for row in read_json(tmp_path / "angles.json")}
    first, second = task_vectors(members)
    assert set(rows) == {*first, "all"}
    whole = [
        np.concatenate([vector[name].double().numpy().ravel() for name in first])
        for vector in (first, second)
    ]
    cosine = whole[0] @ whole[1] / (np.linalg.norm(whole[0]) * np.linalg.norm(whole[1]))
    assert rows["all"]["angle_degrees"] == pytest.approx(np.degrees(np.arccos(cosine)))
    assert rows["all"]["weights"] == whole[0].size
    assert (rows["all"]["first"], rows["all"]["second"]) == (0, 1)
    assert all(
        row["angle_degrees"] is None or 0.0 <= row["angle_degrees"] <= 180.0
        for row in rows.values()
    )
