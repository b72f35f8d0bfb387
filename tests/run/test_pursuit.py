"""What a cell asks for, step by step, with outcomes made up by the test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from overopt.execution.node import Node
from overopt.execution.outcomes import Failure, Outcome
from overopt.run.cell import Found
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.run.pursuit import Pursuit, foreseen, pursue

from .specs import run_spec


def _outcomes(nodes: Sequence[Node], folder: Path) -> Mapping[str, Outcome]:
    """Every node built; an ``optimize`` at knob b has the cheap KL 0.01 / b."""
    found = {}
    for made in nodes:
        place = folder / made.key
        place.mkdir(exist_ok=True)
        if made.name == "optimize":
            kl_nats = 0.01 / made.params["method"]["config"]["beta"]
            record = {"snapshots": [{"kl_cheap_nats": 77.0}, {"kl_cheap_nats": kl_nats}]}
            (place / "optimize.json").write_text(json.dumps(record))
        found[made.key] = Outcome(place, None)
    return found


def _to_end(pursuit: Pursuit, folder: Path) -> tuple[list[list[Node]], Found]:
    asked = [list(next(pursuit))]
    while True:
        try:
            asked.append(list(pursuit.send(_outcomes(asked[-1], folder))))
        except StopIteration as ended:
            found = ended.value
            assert isinstance(found, Found)
            return asked, found


@pytest.mark.parametrize(
    ("method", "stages"),
    [
        ("bon", ["select"]),
        ("dpo", ["measure", "rankings"]),
        ("warp", ["measure", "angles"]),
    ],
)
def test_a_cell_without_a_search_asks_once(tmp_path: Path, method: str, stages: list[str]) -> None:
    run = run_spec([method])
    (cell,) = cells_of(run)
    asked, found = _to_end(pursue(Graph(cell), run), tmp_path)
    (wanted,) = asked
    assert [made.name for made in wanted] == stages
    assert found.points is wanted[0] and found.failure is None
    assert list(found.beside) == wanted[1:] and not found.beside_failures
    assert [one.key for one in foreseen(Graph(cell), run)] == [made.key for made in wanted]


def test_components_of_a_combined_reward_are_searched_beside_the_pool() -> None:
    for method, proxy, beside in (
        ("bon", "composite", ["component_points"]),
        ("bon", "single", []),
        ("soft-bon", "composite", ["component_points"]),
        ("vas", "composite", []),
    ):
        run = run_spec([method], [proxy])
        (cell,) = cells_of(run)
        points, *looked_at = foreseen(Graph(cell), run)
        assert [made.name for made in looked_at] == beside
        roles = {role for made in looked_at for role, _ in made.inputs}
        assert roles <= {"pool", "score.pool.0", "score.pool.1", "score.pool.2"}
        assert points.name == ("measure" if method == "vas" else "select")


def test_what_fails_beside_the_points_leaves_them(tmp_path: Path) -> None:
    run = run_spec(["dpo"])
    (cell,) = cells_of(run)
    pursuit = pursue(Graph(cell), run)
    measured, ranked = next(pursuit)
    broken = Failure(ranked.key, "rankings", ranked.label, "raised", "no pairs", "", ranked.key)
    outcomes = _outcomes([measured], tmp_path)
    with pytest.raises(StopIteration) as ended:
        pursuit.send({**outcomes, ranked.key: Outcome(None, broken)})
    found = ended.value.value
    assert found.points is measured and found.failure is None
    assert found.beside == () and found.beside_failures == (broken,)


def test_a_driven_knob_asks_for_runs_and_then_for_those_that_serve(tmp_path: Path) -> None:
    run = run_spec(along="knob", kl_grid_nats=(0.1, 0.5, 50.0))
    (cell,) = cells_of(run)
    asked, found = _to_end(pursue(Graph(cell), run), tmp_path)
    first = [made.params["method"]["config"]["beta"] for made in asked[0]]
    assert first == [0.001, 0.01, 0.1, 1.0, 10.0]
    assert all(made.name == "optimize" for nodes in asked[:-1] for made in nodes)
    assert all(made.params["kl_grid_nats"] == [] for nodes in asked[:-1] for made in nodes)
    (measured,) = asked[-1]
    assert measured is found.points
    policies = measured.params["policies"]
    assert [policy["kl_target_nats"] for policy in policies] == [0.1, 0.5]
    assert policies[0]["knob_value"] == 0.1  # of the first grid: KL 0.1
    assert 0.01 / policies[1]["knob_value"] == pytest.approx(0.5, rel=0.25)
    assert measured.params["unreached_kl_nats"] == [50.0]
    assert {role for role, _ in measured.inputs} == {
        "pool", "score.pool.0", "evaluate.0", "score.0.0", "evaluate.1", "score.1.0",
    }  # fmt: skip
    known = {made.key for made in foreseen(Graph(cell), run)}
    grid = {Graph(cell).evaluate(made).key for made in asked[0]}
    assert known == grid


def test_a_failure_ends_the_cell_with_its_reason(tmp_path: Path) -> None:
    run = run_spec(along="knob")
    (cell,) = cells_of(run)
    pursuit = pursue(Graph(cell), run)
    asked = list(next(pursuit))
    outcomes = dict(_outcomes(asked, tmp_path))
    failure = Failure(asked[2].key, "optimize", "dpo", "raised", "loss nan", "", asked[2].key)
    outcomes[asked[2].key] = Outcome(None, failure)
    with pytest.raises(StopIteration) as ended:
        pursuit.send(outcomes)
    assert ended.value.value == Found(cell, None, failure)
