"""Answers that are resampled as they grow: drawn without gold, judged, measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.tables import Table, read_json
from overopt.catalog import systems
from overopt.execution.contract import silent
from overopt.models.enumeration import enumerate_logps
from overopt.models.policy import load_policy
from overopt.run.written.csv_text import to_csv
from overopt.spec.columns import POINT_COLUMNS
from overopt.stages import judge, measure, particles, score
from overopt.worlds.contract import build
from own import SIFTED

from .conftest import WORLD
from .hand_made import SINGLE
from .test_no_gold import graph, roles

GRID = [0.1, 0.5, 30.0]


@pytest.fixture(scope="module")
def made(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The stages from answers to points."""
    root = tmp_path_factory.mktemp("particles")
    out = {name: root / name for name in ("particles", "judge", "score", "measure")}
    for folder in out.values():
        folder.mkdir()
    method = systems.method(str(SIFTED)).model_copy(update={"source": SIFTED.name})
    world = {"world": WORLD.to_json()}
    params = {
        **world,
        "method": method.to_json(),
        "system": SINGLE,
        "kl_grid_nats": GRID,
        "samples_per_prompt": 24,
        "seed": 0,
    }
    inputs = {"initial": artifacts["initial"], "proxy.0": artifacts["proxy"]}
    particles.run(params, {**inputs, SIFTED.name: SIFTED}, out["particles"], silent)
    judged = {"optimize": out["particles"], "gold": artifacts["gold"]}
    judge.run(world, judged, out["judge"], silent)
    scored = {"samples": out["judge"], "proxy": artifacts["proxy"]}
    score.run(world, scored, out["score"], silent)
    measured = {
        "pool": artifacts["pool"],
        "score.pool.0": artifacts["score.pool.0"],
        "evaluate.0": out["judge"],
        "score.0.0": out["score"],
    }
    points = {**world, "system": SINGLE, "policies": [{}], "unreached_kl_nats": []}
    measure.run({**points, "samples_per_prompt": 24}, measured, out["measure"], silent)
    return out


def test_answers_lie_on_the_budgets(made: dict[str, Path]) -> None:
    record = read_json(made["particles"] / "optimize.json")
    assert record["unreached_kl_nats"] == [30.0]
    snapshots = record["snapshots"]
    assert [one["kl_target_nats"] for one in snapshots] == GRID[:2]
    assert snapshots[0]["knob_value"] > snapshots[1]["knob_value"]  # a temperature
    for one in snapshots:
        kl_B = np.array(one["kl_of_prompts_nats"])
        error = kl_B.std() / len(kl_B) ** 0.5
        assert kl_B.mean() == pytest.approx(one["kl_target_nats"], abs=4 * error + 0.05)
        assert one["kl_bound_nats"] > kl_B.mean() - 3 * error
        assert one["samples_drawn"] == 4 * 6
        assert one["gradient_steps"] == one["tokens_processed"] == 0


def test_a_filter_that_meets_no_budget_is_shown_where_it_goes_furthest(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    method = systems.method(str(SIFTED)).model_copy(update={"source": SIFTED.name})
    params = {
        "world": WORLD.to_json(),
        "method": method.to_json(),
        "system": SINGLE,
        "kl_grid_nats": [50.0],
        "samples_per_prompt": 2,
        "seed": 0,
    }
    inputs = {"initial": artifacts["initial"], "proxy.0": artifacts["proxy"]}
    particles.run(params, {**inputs, SIFTED.name: SIFTED}, tmp_path, silent)
    record = read_json(tmp_path / "optimize.json")
    assert record["unreached_kl_nats"] == [50.0]
    (snapshot,) = record["snapshots"]
    assert (snapshot["knob_value"], snapshot["kl_target_nats"]) == (0.05, None)


def test_rows_are_answers_with_their_likelihood_and_gold(
    made: dict[str, Path], artifacts: dict[str, Path]
) -> None:
    world, table = build(WORLD), Table(made["judge"] / "samples.parquet")
    assert world.responses is not None
    responses, prompt_N = table.tokens("response"), table.integers("prompt_id")
    assert len(table) == 2 * 6 * 24
    gold_N = world.gold(world.heldout_prompts.take(prompt_N), responses)
    assert table.floats("gold") == pytest.approx(gold_N)
    place = {tuple(row[:n]): r for r, (row, n) in enumerate(zip(*world.responses, strict=True))}
    row_N = [place[tuple(row[:n])] for row, n in zip(*responses, strict=True)]
    policy = load_policy(artifacts["initial"] / "model")
    logp_BR = enumerate_logps(policy, world.heldout_prompts, world.responses)
    assert table.floats("reference_logp") == pytest.approx(logp_BR[prompt_N, row_N], abs=1e-4)


def test_points_carry_the_estimate_and_its_bound(made: dict[str, Path]) -> None:
    points = read_json(made["measure"] / "points.json")
    snapshots = read_json(made["particles"] / "optimize.json")["snapshots"]
    to_csv(POINT_COLUMNS, points)
    measured = [point for point in points if point.get("kl_estimator") == "smc"]
    assert len(measured) == 2
    for point, one in zip(measured, snapshots, strict=True):
        assert point["kl_nats"] == pytest.approx(np.mean(one["kl_of_prompts_nats"]))
        assert point["kl_bound_nats"] == one["kl_bound_nats"]
        assert point["knob_value"] == one["knob_value"]
        assert not {"kl_rb_nats", "kl_k1_nats", "kl_exact_nats"} & set(point)
        assert 0 < point["entropy_nats"] < 10
    assert points[-1]["status"] == "unreached"
    assert measured[1]["proxy_mean"] > measured[0]["proxy_mean"] > 0


def test_gold_is_no_input_of_the_answers() -> None:
    cell = graph(systems.method(str(SIFTED)), systems.proxy("single"))
    drawn = cell.particles((0.1,))
    assert roles(drawn) == {"initial", "proxy."}
    judged = cell.evaluate(drawn)
    assert (judged.name, roles(judged)) == ("judge", {"optimize", "gold"})
    assert "filters" not in systems.method("bon").to_json()
