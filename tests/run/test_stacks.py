"""Which seeds share a stack, and how each gets its run out of it."""

from __future__ import annotations

import pytest

from overopt.commands.engine import choose_engine
from overopt.errors import UserError
from overopt.execution.node import Node
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.run.stacked.blocks import WIDTH, blocks
from overopt.spec.run import RunSpec

from .specs import run_spec


def _stacked(methods: tuple[str, ...] = ("dpo",), seeds: tuple[int, ...] = (0, 1)) -> RunSpec:
    return run_spec(methods, seeds=seeds).model_copy(update={"engine": "stacked"})


def _stack(run: Node) -> Node:
    assert (run.name, [role for role, _ in run.inputs]) == ("optimize", ["stack"])
    return dict(run.inputs)["stack"]


def test_seeds_are_stacked_in_the_order_of_the_run() -> None:
    found = blocks([5, *range(10, 10 + WIDTH)])
    assert found[5] == (5, *range(10, 9 + WIDTH)) and found[9 + WIDTH] == (9 + WIDTH,)


def test_cells_of_a_stack_share_its_training_and_nothing_else() -> None:
    run = _stacked()
    first, second = (Graph(cell).optimize(None, run.kl_grid_nats) for cell in cells_of(run))
    assert first.key != second.key and _stack(first).key == _stack(second).key
    assert (first.params["seed"], second.params["seed"]) == (0, 1)
    stack = _stack(first)
    assert (stack.params["seeds"], stack.params["width"]) == ([0, 1], WIDTH)
    labels = [Graph(cell).labels.key for cell in cells_of(run)]
    assert [dict(stack.inputs)[f"labels.{place}"].key for place in (0, 1)] == labels
    alone = Graph(cells_of(run_spec())[0]).optimize(None, run.kl_grid_nats)
    assert first.params["method"] == alone.params["method"] and first.key != alone.key


def test_worlds_and_methods_have_stacks_of_their_own() -> None:
    run = run_spec(("dpo", "ipo"), seeds=(0, 1), worlds=(0, 3))
    run = run.model_copy(update={"engine": "stacked"})
    stacks = [_stack(Graph(cell).optimize(None, run.kl_grid_nats)) for cell in cells_of(run)]
    assert len({made.key for made in stacks}) == 4
    assert stacks[-1].params["seeds"] == [3 << 32, (3 << 32) + 1]


def test_a_knob_that_is_driven_is_refused() -> None:
    with pytest.raises(UserError, match="--along knob"):
        Graph(cells_of(_stacked())[0]).optimize(0.2, ())


def test_each_cell_of_a_stack_has_proxies_of_its_own() -> None:
    run = _stacked(("rloo",))
    first, second = (Graph(cell).optimize(None, run.kl_grid_nats) for cell in cells_of(run))
    stack = _stack(first)
    assert _stack(second).key == stack.key
    given = dict(stack.inputs)
    assert sorted(given) == ["initial", "proxy.0.0", "proxy.0.1"]
    for place, cell in enumerate(cells_of(run)):
        assert given[f"proxy.0.{place}"].key == Graph(cell).proxy(0).key
    assert "overopt.engines.stacked.rollout" in stack.extra_code
    pairs = _stack(Graph(cells_of(_stacked())[0]).optimize(None, run.kl_grid_nats))
    assert not [name for name in pairs.extra_code if "rollout" in name]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("elastic-reset", "has the function after_step"),
        ("bond", "has INPUTS with opponents_now, reference_samples"),
        ("iter-dpo", "is of the family iterative"),
        ("step-dpo", "has INPUTS with step_pairs"),
    ],
)
def test_other_methods_are_refused_with_those_that_a_stack_trains(name: str, why: str) -> None:
    with pytest.raises(UserError, match=f"{name} {why}, which the engine stacked does not") as told:
        choose_engine("stacked", run_spec().task, run_spec((name,)).methods, ())
    pairs = ("dpo", "ipo") if name in ("iter-dpo", "step-dpo") else ()
    rollout = () if name == "step-dpo" else ("rloo", "ppo", "grpo")
    assert all(f" {one}," in str(told.value) for one in (*pairs, *rollout))
    assert name not in str(told.value).partition("it trains")[2].split(", ")


def test_the_engine_stacked_is_chosen_where_all_can_be_trained() -> None:
    methods = run_spec(("dpo", "bon", "rloo", "ppo")).methods
    assert choose_engine("stacked", run_spec().task, methods, ()) == "stacked"
