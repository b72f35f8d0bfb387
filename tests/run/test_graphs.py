"""Graphs that share what comes before the method: the same nodes, made from fewer asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from overopt.catalog import toml_files
from overopt.execution import stage as making
from overopt.execution.node import Node, ancestry
from overopt.run.cell import Cell
from overopt.run.cells import cells_of, first_of_worlds
from overopt.run.given import once
from overopt.run.given.once import once_per_spec
from overopt.run.graph import Graph
from overopt.run.graphs import Graphs
from overopt.run.knob import with_knob
from overopt.run.pursuit import foreseen
from overopt.spec.flaw import FlawSpec
from overopt.spec.rounds import RoundsSpec
from overopt.spec.run import RunSpec

from .specs import run_spec

Axes = dict[str, Any]
METHODS = ("dpo", "rloo", "bon", "warp", "raft")
PROXIES = ("single", "uwo", "warm", "adv-rm", "implicit")


def _everything(run: RunSpec, graph: Callable[[Cell], Graph]) -> list[tuple[object, ...]]:
    cells = cells_of(run)
    wanted = [made for cell in cells for made in foreseen(graph(cell), run)]
    wanted += [graph(cell).front(run.kl_grid_nats) for cell in first_of_worlds(cells)]
    return [
        (made.key, made.label, made.kind, made.extra_code, made.resources, dict(made.params))
        for made in [*wanted, *ancestry(wanted)]
    ]


def _in_rounds() -> RunSpec:
    run = run_spec(["dpo", "rloo"], ["single", "mean"])
    task = run.task.model_copy(update={"rounds": RoundsSpec(count=2)})
    return run.model_copy(update={"task": task})


GRIDS: dict[str, Callable[[], RunSpec]] = {
    "families, systems, worlds": lambda: run_spec(METHODS, PROXIES),
    "noises, seeds, sizes": lambda: run_spec(
        ["rloo", "bon"], ["single", "uwo"], ["0", "bt:1"], (0, 2), (8, 16), (32, 64)
    ),
    "starts, along the knob": lambda: run_spec(
        ["rloo", "dpo"], starts=["scratch", "policy"], along="knob"
    ),
    "flaws": lambda: run_spec(["rloo", "bon"]).model_copy(
        update={"task": toml_files.load_task("reviews"), "proxy_widths": (None,),
                "flaws": (FlawSpec.parse("length:0.5"), FlawSpec.parse("coverage:0.5"))}
    ),
    "stacks": lambda: run_spec(["dpo", "ipo"], seeds=(0, 1)).model_copy(
        update={"engine": "stacked"}
    ),
    "rounds": _in_rounds,
}  # fmt: skip


@pytest.mark.parametrize("grid", GRIDS)
def test_sharing_graphs_make_the_nodes_of_graphs_on_their_own(grid: str) -> None:
    run = GRIDS[grid]()
    assert _everything(run, Graphs(Graph)) == _everything(run, Graph)


@pytest.mark.parametrize("axes", [{}, {"along": "knob"}], ids=["step", "knob"])
@pytest.mark.parametrize("rate_factor", [1.0, 2.0])
def test_specifications_are_copied_and_written_out_once_whatever_the_number_of_cells(
    axes: Axes, rate_factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(seeds: int, noises: tuple[str, ...]) -> tuple[int, Counter[str]]:
        run = run_spec(METHODS[:4], ["single", "uwo"], noises, range(seeds), **axes)
        tuned = [one.model_copy(update={"rate_factor": rate_factor}) for one in run.methods]
        run = run.model_copy(update={"methods": tuple(tuned)})
        cells, graphs, counted = cells_of(run), Graphs(Graph), Counter[str]()
        with monkeypatch.context() as patch:
            for name in ("model_dump", "model_copy", "__init__"):
                patch.setattr(BaseModel, name, _counting(getattr(BaseModel, name), counted))
            for cell in cells:
                foreseen(graphs(cell), run)
        return len(cells), counted

    few, written = count(1, ("0",))
    many, same = count(5, ("0",))
    assert many == 5 * few and written["model_dump"] > 0
    assert same == written
    _, noisy = count(5, ("0", "0.25", "0.5"))
    assert noisy["model_dump"] == written["model_dump"] + 2  # one for each noise
    assert noisy["model_copy"] == written["model_copy"]


def _counting(call: Callable[..., Any], counted: Counter[str]) -> Callable[..., Any]:
    def counting(*given: Any, **named: Any) -> Any:
        counted[call.__name__] += 1
        return call(*given, **named)

    return counting


def test_what_cells_have_in_common_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks exceed nodes by what systems share among each other, not by what methods share."""
    asked = Counter[str]()
    node = making.node

    def counting(stage: str, *given: Any, **named: Any) -> Node:
        asked[stage.removeprefix("overopt.stages.")] += 1
        return node(stage, *given, **named)

    monkeypatch.setattr("overopt.run.given.nodes.node", counting)
    run = run_spec(["rloo", "ppo", "grpo"], ["uwo"], seeds=(0, 1), worlds=(0, 1))
    graphs = Graphs(Graph)
    wanted = [made for cell in cells_of(run) for made in foreseen(graphs(cell), run)]
    made = Counter(one.stage.removeprefix("overopt.stages.") for one in ancestry(wanted))
    assert asked == made
    assert made["initial"] == 2 and made["proxy"] == 5 * 4 and made["measure"] == 3 * 4


def test_a_function_of_a_specification_tells_types_and_specifications_apart() -> None:
    calls: list[object] = []

    @once_per_spec
    def doubled(spec: FlawSpec, number: float) -> float:
        calls.append(number)
        return number * 2

    one, equal = FlawSpec.parse("placebo:1"), FlawSpec.parse("placebo:1")
    assert [doubled(one, 2.0), doubled(one, 2.0), doubled(one, 2)] == [4.0, 4.0, 4]
    assert calls == [2.0, 2]
    doubled(equal, 2.0)
    assert len(calls) == 3
    method = run_spec(["rloo"]).methods[0]
    assert with_knob(method, None) is method
    assert with_knob(method, 0.5) is with_knob(method, 0.5) is not with_knob(method, 0.25)


def test_of_answers_beyond_the_most_the_least_recently_asked_for_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that is at work keeps its own, however many runs the process had before."""
    monkeypatch.setattr(once, "MOST_KEPT", 3)
    spec, made = FlawSpec.parse("placebo:1"), Counter[int]()

    @once_per_spec
    def counted(_: FlawSpec, number: int) -> int:
        made[number] += 1
        return number

    for number in (1, 2, 3, 1, 4, 1, 5, 1):
        assert counted(spec, number) == number
    assert made == Counter({number: 1 for number in (1, 2, 3, 4, 5)})
    counted(spec, 2)
    assert made[2] == 2
