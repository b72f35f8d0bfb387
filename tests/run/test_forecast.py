"""What a plan says a run will cost."""

from __future__ import annotations

from overopt.execution.costs import Cost, append_receipt
from overopt.execution.node import Node, ancestry
from overopt.execution.store import Store
from overopt.run.cells import cells_of
from overopt.run.forecast import expected_costs, forecast
from overopt.run.graph import Graph
from overopt.run.pursuit import foreseen

from .finished import put, receipt
from .specs import run_spec


def cost_of(store: Store, made: Node) -> Cost:
    """Expected cost of a node, as the store's receipts are now."""
    return expected_costs(store.root).expected(made.stage, made.kind)


def test_costs_are_medians_of_the_same_kind_of_work(store: Store) -> None:
    cells = cells_of(run_spec(noises=("0", "0.25"), seeds=(0, 1, 2)))
    nodes = [Graph(cell).proxy(0) for cell in cells]
    for wall_s, made in zip((1.0, 2.0, 60.0), nodes[:3], strict=True):
        append_receipt(store.root, made.key, receipt(made, wall_s))
    assert cost_of(store, nodes[-1]).wall_s == 2.0
    assert cost_of(store, Graph(cells[0]).proxy(4)).wall_s == 2.0
    assert cost_of(store, Graph(cells[0]).labels).wall_s != 2.0
    assert cost_of(store, nodes[0]) == Cost(2.0, 20, 10)


def test_another_task_is_another_kind_of_work(store: Store) -> None:
    run = run_spec()
    (cell,) = cells_of(run)
    append_receipt(store.root, "k", receipt(Graph(cell).initial, 0.25))
    named = run.task.model_copy(update={"name": "large"})
    (other,) = cells_of(run.model_copy(update={"task": named}))
    assert cost_of(store, Graph(cell).initial).wall_s == 0.25
    assert cost_of(store, Graph(other).initial).wall_s > 1.0


def test_new_and_cached_add_up_and_a_chain_cannot_be_split(store: Store) -> None:
    run = run_spec(seeds=(0, 1))
    wanted = [made for cell in cells_of(run) for made in foreseen(cell, run)]
    every = list(ancestry(wanted))
    before = forecast(wanted, store, workers=1)
    assert sum(one.new for one in before.stages) == len(every)
    assert sum(one.cached for one in before.stages) == 0
    assert before.wall_s == sum(cost_of(store, made).wall_s for made in every)
    many = forecast(wanted, store, workers=1000)
    chain = ("initial", "gold", "pool", "labels", "optimize", "evaluate", "score", "measure")
    by_stage = {made.name: cost_of(store, made).wall_s for made in every}
    assert many.wall_s == sum(by_stage[stage] for stage in chain)
    put(store, Graph(cells_of(run)[0]).initial, {"training.json": {}})
    after = forecast(wanted, store, workers=1)
    assert sum(one.cached for one in after.stages) == 1
    assert sum(one.new for one in after.stages) == len(every) - 1


def test_memory_counts_busy_workers_only(store: Store) -> None:
    (cell,) = cells_of(run_spec())
    one = [Graph(cell).initial]
    assert forecast(one, store, 8).memory_bytes == forecast(one, store, 1).memory_bytes
    put(store, one[0], {"training.json": {}})
    assert forecast(one, store, 8).memory_bytes == 0
