"""What a plan says a run will cost."""

from __future__ import annotations

from collections import Counter

import pytest

from overopt.catalog import toml_files
from overopt.execution.costs import Cost, Costs, append_receipt
from overopt.execution.node import Node, ancestry
from overopt.execution.store import Store
from overopt.run.cells import cells_of
from overopt.run.forecasts import first_costs
from overopt.run.forecasts.first_costs import first_cost
from overopt.run.forecasts.stages import Estimate, StageForecast, forecast
from overopt.run.graph import Graph
from overopt.run.pursuit import foreseen
from own import MIXTURE, SIFTED, VALUED

from .finished import put, receipt
from .specs import run_spec


def cost_of(store: Store, made: Node) -> Cost:
    """Expected cost of a node, as the store's receipts are now."""
    return Costs(store.root).known(made.stage, made.kind) or first_cost(made)


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
    wanted = [made for cell in cells_of(run) for made in foreseen(Graph(cell), run)]
    every = list(ancestry(wanted))
    before = forecast(wanted, store, workers=1)
    assert sum(one.new for one in before.stages) == len(every)
    assert sum(one.cached for one in before.stages) == 0
    assert before.wall_s == pytest.approx(sum(cost_of(store, made).wall_s for made in every))
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


def test_memory_is_of_the_largest_that_run_at_once(store: Store) -> None:
    def sized(made: Node) -> Estimate:
        return Estimate(1.0, {"initial": 5.0, "gold": 3.0}.get(made.name, 1.0), 0.0)

    (cell,) = cells_of(run_spec())
    wanted = [Graph(cell).pool]  # and so the initial policy and the gold
    for workers, expected in ((1, 5.0), (2, 8.0), (3, 9.0), (99, 9.0)):
        assert forecast(wanted, store, workers, sized).memory_bytes == expected


def test_what_was_measured_here_takes_the_place_of_an_estimate(store: Store) -> None:
    """With its memory, unless that is an accelerator's, of which a receipt says nothing."""
    (cell,) = cells_of(run_spec())
    wanted = [Graph(cell).initial]
    append_receipt(store.root, "k", receipt(wanted[0], 0.25))
    for is_assumed, expected in (
        (True, StageForecast("initial", 0, 1, 0, 1, 0.25, 10, 20)),
        (False, StageForecast("initial", 0, 1, 1, 1, 0.25, 7e9, 20)),
    ):
        guess = Estimate(99.0, 7e9, 1e9, is_accelerated=True, is_assumed=is_assumed)
        estimates = {wanted[0]: guess}
        (row,) = forecast(wanted, store, 1, estimates.__getitem__).stages
        assert row == expected


def test_what_is_unknown_is_no_number(store: Store) -> None:
    def unknown(made: Node) -> Estimate:
        return Estimate(None, None, None) if made.name == "gold" else Estimate(1.0, 1.0, 1.0)

    (cell,) = cells_of(run_spec())
    found = forecast([Graph(cell).pool], store, 1, unknown)
    assert found.wall_s is found.memory_bytes is found.disk_bytes is None
    assert found.accelerator_bytes == 0
    assert {one.stage: one.wall_s for one in found.stages} == {
        "initial": 1.0, "gold": None, "pool": 1.0,
    }  # fmt: skip


def _first_costs(task: str) -> dict[str, float]:
    """Seconds of each stage of a small grid, by its name; of scores by what is scored."""
    run = run_spec(["dpo", "rloo", "bon"])
    task_spec = toml_files.load_task(task)
    start = "policy" if task == "arithmetic" else "scratch"
    run = run.model_copy(
        update={"task": task_spec, "proxy_widths": (None,), "proxy_starts": (start,)}
    )
    cells = cells_of(run)
    wanted = [made for cell in cells for made in foreseen(Graph(cell), run)]
    wanted.append(Graph(cells[0]).front(run.kl_grid_nats))
    found: dict[str, float] = {}
    for made in ancestry(wanted):
        name = made.name
        if name == "score":
            name = f"score of {dict(made.inputs)['samples'].name}"
        found[name] = first_cost(made).wall_s
    return found


def test_where_nothing_was_measured_work_and_world_decide() -> None:
    reviews, tabular, sums = map(_first_costs, ("reviews", "tabular", "arithmetic"))
    assert reviews["gold"] < 0.1 < reviews["initial"]
    assert reviews["score of pool"] > 5 * reviews["score of evaluate"]
    assert reviews["score of pool_excerpt"] < reviews["score of pool"]
    assert {"score of listing", "listing"} <= set(tabular)
    assert all(tabular[name] <= reviews[name] for name in set(tabular) & set(reviews))
    assert tabular["optimize"] < 0.2 * reviews["optimize"]
    assert sums["initial"] > reviews["initial"] and sums["gold"] == reviews["gold"]


@pytest.mark.parametrize("task", ["reviews", "tabular", "arithmetic"])
def test_all_of_an_ordinary_run_has_a_first_cost_of_its_own(
    task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_costs, "_UNKNOWN", (float("inf"), 0))
    first_costs._cost.cache_clear()
    try:
        assert max(_first_costs(task).values()) < 100
    finally:
        first_costs._cost.cache_clear()


COUNTS = {
    "noises and seeds of one pairs method": (
        run_spec(["dpo"], ["single"], ["0", "0.25"], [0, 1, 2]),
        {"pairs": 3, "labels": 6, "proxy": 6, "optimize": 6, "evaluate": 6, "score": 12,
         "measure": 6, "rankings": 6},
    ),
    "systems share members, and a pairs method its runs": (
        run_spec(["dpo", "rloo"], ["single", "mean"], ["0"], [0, 1]),
        {"pairs": 2, "labels": 2, "proxy": 10, "optimize": 6, "evaluate": 6, "score": 24,
         "measure": 6, "rankings": 6},
    ),
    "selection reads the pool, and every response where all can be listed": (
        run_spec(["bon", "itp"], ["uwo"], ["0"], [0]),
        {"pairs": 1, "labels": 1, "proxy": 5, "listing": 1, "score": 10, "select": 2},
    ),
    "merging": (
        run_spec(["warp"], ["single"], ["0"], [0, 1]),
        {"pairs": 2, "labels": 2, "proxy": 2, "optimize": 4, "merge": 2, "evaluate": 2, "score": 4,
         "measure": 2, "angles": 2},
    ),
    "composing shares the run of another method": (
        run_spec(["dpo", str(MIXTURE)], ["single"], ["0"], [0, 1]),
        {"pairs": 2, "labels": 2, "proxy": 2, "optimize": 2, "compose": 2, "evaluate": 4,
         "score": 6, "measure": 4, "rankings": 2},
    ),
    "values are learned against each proxy system": (
        run_spec([str(VALUED)], ["single", "mean"]),
        {"pairs": 1, "labels": 1, "proxy": 5, "value": 2, "compose": 2, "evaluate": 2, "score": 11,
         "measure": 2},
    ),
    "particles are judged, not evaluated": (
        run_spec([str(SIFTED)]),
        {"pairs": 1, "labels": 1, "proxy": 1, "particles": 1, "judge": 1, "score": 2,
         "measure": 1},
    ),
    "widths, starts and sizes of data": (
        run_spec(["rloo"], widths=[8, 16], comparisons=[32, 64], starts=["scratch", "policy"]),
        {"pairs": 2, "labels": 2, "proxy": 6, "optimize": 6, "evaluate": 6, "score": 12,
         "measure": 6, "rankings": 6},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_those_of_the_graph(name: str, store: Store) -> None:
    run, counts = COUNTS[name]
    wanted = [made for cell in cells_of(run) for made in foreseen(Graph(cell), run)]
    found = {one.stage: one.new for one in forecast(wanted, store, workers=2).stages}
    assert found == {"initial": 1, "gold": 1, "pool": 1, **counts}
    assert found == Counter(made.name for made in ancestry(wanted))
