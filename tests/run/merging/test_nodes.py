"""Nodes of merged policies: which runs are shared, and what starts from what."""

from __future__ import annotations

from typing import Any

import pytest

from overopt.catalog import systems
from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.execution.node import Node, ancestry
from overopt.run.cells import cells_of
from overopt.run.graph import Graph

GRID = (0.1, 0.5)


def graph(*settings: str) -> Graph:
    given = [f"warp.{one}" for one in settings]
    run = resolve(Request(method=["warp"], task="tabular", seeds=1, settings=given))
    (cell,) = cells_of(run)
    return Graph(cell)


def runs(merged: Node) -> list[Node]:
    return sorted(
        (made for made in ancestry([merged]) if made.name == "optimize"),
        key=lambda made: int(made.params["member"]),
    )


def keys(nodes: list[Node]) -> list[str]:
    return [made.key for made in nodes]


def test_specifications_of_stored_runs_name_no_field_that_came_later() -> None:
    stored = {"members": 2, "beta": 0.1, "mu": 0.01}
    assert systems.method("warp").config == stored
    assert "merging" not in systems.method("warp").to_json()
    given = systems.method("warp", {"share": 0.25, "iterations": 1})
    assert given.config == {**stored, "share": 0.25}


def test_members_run_to_the_last_budget_unless_steps_are_given() -> None:
    plain, ended = runs(graph().merge(GRID)), runs(graph("steps=7").merge(GRID))
    assert [made.params["kl_grid_nats"] for made in plain] == [[0.5], [0.5]]
    assert [made.params["kl_grid_nats"] for made in ended] == [[], []]
    assert {made.params["settings"]["max_steps"] for made in plain} == {200}
    assert {made.params["settings"]["max_steps"] for made in ended} == {7}
    (method,) = {str(made.params["method"]["config"]) for made in (*plain, *ended)}
    assert "steps" not in method


def test_merges_of_the_same_runs_train_them_once() -> None:
    first = graph("steps=7").merge(GRID)
    for settings in (("path=lerp",), ("share=0",), ("share=1",)):
        other = graph("steps=7", *settings).merge(GRID)
        assert other.key != first.key
        assert keys(runs(other)) == keys(runs(first))
    assert not set(keys(runs(graph("steps=8").merge(GRID)))) & set(keys(runs(first)))


def test_iterations_start_from_what_was_merged_before() -> None:
    one, two, three = (graph("steps=7", f"iterations={count}").merge(GRID) for count in (1, 2, 3))
    assert [made.params["member"] for made in runs(three)] == [0, 1, 2, 3, 4, 5]
    assert keys(runs(three))[:4] == keys(runs(two)) and keys(runs(two))[:2] == keys(runs(one))
    inputs: dict[str, Any] = dict(three.inputs)
    assert set(inputs) == {"initial", "start", "optimize.0", "optimize.1"}
    start, member = inputs["start"], inputs["optimize.0"]
    assert member.params["member"] == 4
    assert start.name == "restart" and dict(member.inputs)["initial"].key == start.key
    before = dict(start.inputs)
    assert before["start"].key == dict(two.inputs)["start"].key
    assert "start" not in dict(before["start"].inputs)
    assert dict(three.inputs)["initial"].name == "initial"


def test_iterations_need_steps() -> None:
    with pytest.raises(UserError, match=r"set warp\.steps"):
        graph("iterations=2").merge(GRID)


def test_angles_are_of_the_members_of_the_last_iteration() -> None:
    merging = graph("steps=7", "iterations=2")
    (made,) = merging.angles(GRID)
    assert dict(made.inputs) == dict(merging.merge(GRID).inputs)
    assert len(graph("members=3").angles(GRID)[0].inputs) == 4
