"""Knobs as the methods take them, and the nodes of every family."""

from __future__ import annotations

import pytest

from overopt.catalog import systems, toml_files
from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.execution.node import Node, ancestry
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.run.knob import setting, with_knob
from overopt.run.pursuit import foreseen


def nodes(method: str, along: str = "step") -> list[Node]:
    """Every node that one cell is known to need on the tabular task."""
    run = resolve(Request(method=[method], task="tabular", along=along, seeds=1))
    return list(ancestry(foreseen(Graph(cells_of(run)[0]), run)))


def test_whole_number_knobs_are_rounded_and_others_are_not() -> None:
    reset, dpo = systems.method("elastic-reset"), systems.method("dpo")
    assert with_knob(reset, 57.31).config["reset_steps"] == setting(reset, 57.31) == 57
    assert with_knob(dpo, 0.5731).config["beta"] == setting(dpo, 0.5731) == 0.5731
    assert with_knob(dpo, None) is dpo


@pytest.mark.parametrize(
    ("method", "stages"),
    [
        ("sparsepo", {"optimize": 1, "merge": 0, "select": 0, "labels": 1}),
        ("ppo", {"optimize": 1, "merge": 0, "select": 0, "proxy": 1}),
        ("superhf", {"optimize": 1, "merge": 0, "select": 0, "proxy": 1}),
        ("soft-bon", {"optimize": 0, "merge": 0, "select": 1, "proxy": 1}),
        ("warp", {"optimize": 2, "merge": 1, "select": 0, "evaluate": 1}),
    ],
)
@pytest.mark.parametrize("along", ["step", "knob"])
def test_the_graph_of_each_family(method: str, stages: dict[str, int], along: str) -> None:
    found = [node.name for node in nodes(method, along)]
    for stage, count in stages.items():
        swept = along == "knob" and method in ("sparsepo", "ppo", "superhf")
        times = 5 if swept and stage == "optimize" else 1
        assert found.count(stage) == count * times, stage


def test_members_of_a_merge_run_to_the_last_budget_with_numbers_of_their_own() -> None:
    members = [node for node in nodes("warp") if node.name == "optimize"]
    assert [node.params["member"] for node in members] == [0, 1]
    last = toml_files.load_task("tabular").kl_grid_nats[-1]
    assert all(node.params["kl_grid_nats"] == [last] for node in members)
    assert len({node.key for node in members}) == 2


def test_more_members_are_a_setting() -> None:
    run = resolve(Request(method=["warp"], task="tabular", settings=["warp.members=3"], seeds=1))
    graph = Graph(cells_of(run)[0])
    assert [role for role, _ in graph.merge((1.0,)).inputs] == [
        "initial", "optimize.0", "optimize.1", "optimize.2",
    ]  # fmt: skip
