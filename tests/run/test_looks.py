"""What is looked at where a run asks for it: its nodes, and the rows that it joins."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.catalog import systems
from overopt.execution.node import Node
from overopt.execution.store import Store
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.run.pursuit import foreseen
from overopt.run.watching.looks import INFORM
from overopt.run.written.diagnoses import diagnosed
from overopt.spec.look import LOOKS
from overopt.spec.run import RunSpec

from .finished import put
from .specs import run_spec


def asking(run: RunSpec) -> RunSpec:
    return run.model_copy(update={"looks": LOOKS})


def looked(run: RunSpec) -> list[Node]:
    """The nodes of looks among those of a run's one cell."""
    return [made for made in foreseen(graph_of(run), run) if made.name in LOOKS]


def graph_of(run: RunSpec) -> Graph:
    (cell,) = cells_of(run)
    return Graph(cell)


def test_looks_come_on_top_and_move_no_other_key() -> None:
    run = run_spec(["rloo"])
    plain = [made.key for made in foreseen(graph_of(run), run)]
    more = foreseen(graph_of(run), asking(run))
    assert [made.key for made in more[: len(plain)]] == plain
    assert {made.name for made in more[len(plain) :]} == set(LOOKS)
    assert "looks" not in run.to_json() and asking(run).to_json()["looks"] == list(LOOKS)


@pytest.mark.parametrize("run", [run_spec(["bon"]), run_spec(["dpo"], along="knob")])
def test_where_no_one_run_passes_policies_there_is_nothing_to_look_at(run: RunSpec) -> None:
    assert looked(asking(run)) == []


def test_separation_is_read_in_the_latents_of_the_cells_own_inform() -> None:
    """One reward model, whichever proxy was optimized."""
    assert systems.proxy("inform") == INFORM
    proxies = []
    for name in ("single", "inform"):
        run = asking(run_spec(["rloo"], [name]))
        (found,) = (made for made in looked(run) if made.name == "separation")
        inputs = dict(found.inputs)
        assert set(inputs) == {"proxy", "pool", "samples"}
        proxies.append(inputs["proxy"].key)
        assert found.params["system"]["name"] == "inform"
    assert proxies[0] == proxies[1]
    run = run_spec(["rloo"], ["inform"])
    assert proxies[0] == graph_of(run).proxy(0).key


def test_what_was_looked_at_joins_the_rows_of_its_step(tmp_path: Path) -> None:
    run = asking(run_spec(["rloo"]))
    graph, store = graph_of(run), Store(tmp_path)
    points = graph.along_step((0.1,))
    put(store, points, {"diagnostics.json": [{"step": 0, "meteor": 1.0}, {"step": 4}]})
    made, other, *_ = looked(run)
    put(store, made, {"separation.json": [{"step": 4, "csi": 0.5}, {"step": 9, "csi": 7.0}]})
    put(store, other, {"scores.json": [{"step": 0, "mmd": 0.0}, {"step": 4, "mmd": 0.25}]})
    rows = diagnosed(points, (made, other), store)
    assert rows == [
        {"step": 0, "meteor": 1.0, "mmd": 0.0},
        {"step": 4, "csi": 0.5, "mmd": 0.25},
    ]
    assert diagnosed(points, (), store) == [{"step": 0, "meteor": 1.0}, {"step": 4}]
