"""Nodes of what is seen along a run: what they read, what they share, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.catalog import systems
from overopt.errors import UserError
from overopt.execution.node import Node, ancestry
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.run.watching import watch
from overopt.run.watching.nodes import ENSEMBLE, MEMBERS, WatchNodes, why_no_twin
from overopt.spec.columns import SIGNAL_COLUMNS
from overopt.spec.monitor import WATCHED
from run.specs import run_spec

GRID = (0.02, 0.05)


def nodes_of(method: str = "rloo", wanted: tuple[str, ...] = WATCHED) -> WatchNodes:
    (cell,) = cells_of(run_spec([method]))
    return WatchNodes(Graph, cell, GRID, wanted)  # type: ignore[arg-type]


def roles(made: Node) -> set[str]:
    return {role.partition(".")[0] for role, _ in made.inputs}


def test_the_ensemble_is_the_shipped_one() -> None:
    assert systems.proxy("mean") == ENSEMBLE and ENSEMBLE.members == MEMBERS


def test_a_run_is_watched_without_gold_and_its_nodes_stay_as_they_are() -> None:
    (cell,) = cells_of(run_spec(["rloo"]))
    plain = Graph(cell)
    run = plain.optimize(None, GRID)
    signals = nodes_of().signals()
    assert roles(signals) == {"samples", "score", "watch", "heldout", "states", "energy"}
    keys = {made.key for made in ancestry([signals])}
    assert {run.key, plain.evaluate(run).key, plain.proxy(0).key} <= keys


def test_the_held_out_proxy_learns_from_other_comparisons() -> None:
    (cell,) = cells_of(run_spec(["rloo"]))
    inputs = dict(nodes_of().signals().inputs)
    other = dict(inputs["heldout.run"].inputs)["proxy"]
    assert dict(other.inputs)["labels"].key != Graph(cell).labels.key
    assert dict(inputs["watch.run.0"].inputs)["proxy"].key == Graph(cell).proxy(0).key


def test_only_what_is_wanted_is_measured() -> None:
    assert roles(nodes_of(wanted=()).signals()) == {"samples", "score"}
    assert roles(nodes_of(wanted=("spread",)).signals()) == {"samples", "score", "watch"}


def test_a_twin_optimizes_gold_and_is_watched_by_the_same_models() -> None:
    signals, twin = nodes_of().signals(), nodes_of().twin(systems.proxy("control-gold"))
    run, other = dict(signals.inputs), dict(twin.inputs)
    assert roles(twin) == roles(signals)
    assert run["samples.initial"].key == other["samples.initial"].key
    reward = dict(dict(other["samples.run"].inputs)["optimize"].inputs)["proxy.0"]
    assert "gold" in dict(reward.inputs) and "labels" in dict(reward.inputs)
    for role in ("watch.run.0", "heldout.run", "states.run"):
        assert dict(run[role].inputs)["proxy"].key == dict(other[role].inputs)["proxy"].key
    assert dict(other["score.run.0"].inputs)["proxy"].key == reward.key


def test_methods_that_see_no_reward_have_no_twin() -> None:
    assert "preference pairs" in why_no_twin(systems.method("dpo"))
    assert why_no_twin(systems.method("rloo")) == ""


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (run_spec(["bon"]), "bon is of the family selection"),
        (run_spec(["dpo"], along="knob"), "leave out --along knob"),
    ],
)
def test_what_has_no_course_is_refused(spec: object, told: str) -> None:
    with pytest.raises(UserError, match=told):
        watch.check_watchable(spec)  # type: ignore[arg-type]


def test_a_table_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    text = watch._text([{"world": 0, "seed": 1, "step": 2, "reward": 1 / 3, "proxy_width": None}])
    head, row = text.splitlines()
    assert head == ",".join(SIGNAL_COLUMNS) and ",0.333333333," in row and row.startswith("0,")
    assert watch._write(path, text) == path and watch._write(path, text) == path
    with pytest.raises(UserError, match="never overwritten"):
        watch._write(path, text + "more\n")
    assert path.read_text() == text and [one.name for one in tmp_path.iterdir()] == [path.name]
