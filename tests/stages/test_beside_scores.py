"""Distributions of proxy and gold over a run's policies, and scores of single members."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.artifacts.scores import identifiers
from overopt.artifacts.tables import Table, read_json, write_json, write_table
from overopt.catalog import systems
from overopt.execution.contract import silent
from overopt.stages.beside import scores
from overopt.stats.diagnostics.discrepancy import mean_discrepancy, median_distance


def _scored(folder: Path, table: Table, score_N: np.ndarray) -> Path:
    folder.mkdir()
    write_table(folder / "scores.parquet", {**identifiers(table), "score": score_N})
    return folder


def _read(artifacts: dict[str, Path], out: Path, proxy: str, members: int) -> list[dict[str, Any]]:
    """Of a run whose two policies repeat the pool; member m scores gold + m + 1, or 7 at step 8."""
    out.mkdir()
    pool = Table(artifacts["pool"] / "samples.parquet")
    count = len(pool)
    drawn = out / "evaluate"
    drawn.mkdir()
    rows = np.tile(np.arange(count), 2)
    write_table(
        drawn / "samples.parquet",
        {
            "step": np.repeat([3, 8], count).astype(np.int32),
            "prompt_id": pool.integers("prompt_id")[rows].astype(np.int32),
            "sample_id": pool.integers("sample_id")[rows].astype(np.int32),
            "response": pool.tokens("response").take(rows),
            "gold": pool.floats("gold")[rows],
        },
    )
    write_json(drawn / "optimize.json", {"snapshots": [{"step": 3}, {"step": 8}]})
    table = Table(drawn / "samples.parquet")
    gold_N = pool.floats("gold")
    inputs = {"pool": artifacts["pool"], "evaluate.0": drawn}
    for m in range(members):
        own_N = gold_N + m + 1.0
        far_N = np.concatenate([own_N, np.full(count, 7.0)])
        inputs[f"score.pool.{m}"] = _scored(out / f"pool-{m}", pool, own_N)
        inputs[f"score.0.{m}"] = _scored(out / f"run-{m}", table, far_N)
    params = {"system": systems.proxy(proxy).to_json()}
    scores.run(params, inputs, out, silent)
    found: list[dict[str, Any]] = read_json(out / scores.SCORES)
    return found


def test_components_are_the_members_own_scores_and_the_distance_is_in_units_of_points(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    start, same, far = _read(artifacts, tmp_path / "out", "composite", 3)
    pool = Table(artifacts["pool"] / "samples.parquet")
    gold_N = pool.floats("gold")
    summary = read_json(artifacts["pool"] / "summary.json")
    unit_N = (gold_N - summary["gold_mean"]) / summary["gold_sd"]
    proxy_N = gold_N - gold_N.mean()  # the mean of the members less its own mean
    width = median_distance(np.concatenate([unit_N, proxy_N]))
    for row in (start, same):
        assert [row[f"component_{m}"] for m in (1, 2, 3)] == pytest.approx(
            [gold_N.mean() + m for m in (1, 2, 3)]
        )
        assert row["mmd"] == pytest.approx(mean_discrepancy(unit_N, proxy_N, width), abs=1e-6)
    assert [far[f"component_{m}"] for m in (1, 2, 3)] == [7.0, 7.0, 7.0]
    told = mean_discrepancy(unit_N, np.full(len(unit_N), 7.0 - gold_N.mean() - 2.0), width)
    assert far["mmd"] == pytest.approx(told, abs=1e-6)
    assert (start["step"], same["step"], far["step"]) == (0, 3, 8)


def test_members_that_learn_the_same_are_no_components(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    rows = _read(artifacts, tmp_path / "out", "single", 1)
    assert all(set(row) == {"step", "mmd"} for row in rows)


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        ("composite", True), ("critique", False), ("domain", False), ("attrib-prior", False),
        ("moe", False), ("single", False), ("uwo", False),
    ],
)  # fmt: skip
def test_only_members_that_learn_one_term_each_are_components(proxy: str, expected: bool) -> None:
    assert scores.has_components(systems.proxy(proxy)) == expected
