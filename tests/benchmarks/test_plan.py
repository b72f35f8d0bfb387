"""What planning takes for each cell, at a tenth of the largest run; processor time.

``CELLS=100800 pytest tests/benchmarks/test_plan.py`` measures it whole.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from overopt.catalog import systems, toml_files
from overopt.execution.node import uncollected
from overopt.execution.store import Store
from overopt.run.cells import cells_of
from overopt.run.forecasts.stages import forecast
from overopt.run.graph import Graph
from overopt.run.graphs import Graphs
from overopt.run.pursuit import foreseen
from overopt.spec.noise import NoiseSpec
from overopt.spec.run import RunSpec

METHODS = (
    "rloo ppo grpo dr-grpo dapo cispo gspo remax reinforce-pp kl-reinforce chi2-rl tsallis p3o "
    "iter-dpo online-dpo raft rest spin xpo bon soft-bon bop rbon hedgetune warp dpo ipo kto simpo"
)
PROXIES = (
    "single mean uwo wco lse lsc inform grm odin par warm labelsmooth margin rdpo-rm ctrlu gvi "
    "moe l1-rm pm om-weight"
)
NOISES = ("0", "0.1", "0.25", "0.4")
CELLS = int(os.environ.get("CELLS", "10080"))


def large_run(cells: int) -> RunSpec:
    """25 methods that see the proxy and 4 that do not, 20 systems, 4 noises, and seeds."""
    task = toml_files.load_task("reviews")
    worlds = 5
    return RunSpec(
        task=task,
        worlds=tuple(range(worlds)),
        gold=toml_files.load_gold("rule"),
        methods=tuple(map(systems.method, METHODS.split())),
        proxies=tuple(map(systems.proxy, PROXIES.split())),
        noises=tuple(map(NoiseSpec.parse, NOISES)),
        proxy_starts=("scratch",),
        proxy_widths=(None,),
        comparisons=(task.proxy.comparisons,),
        seeds=tuple(range(max(1, cells // (worlds * 2016)))),
        kl_grid_nats=(0.5, 1.0, 2.0, 4.0),
        standard=False,
    )


@pytest.mark.benchmark(group="plan", timer=time.process_time)
def test_plan_of_an_empty_store(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    run = large_run(CELLS)
    cells = cells_of(run)
    store = Store(tmp_path / "store")

    def plan() -> int:
        graphs = Graphs(Graph)
        with uncollected():
            wanted = [made for cell in cells for made in foreseen(graphs(cell), run)]
            return sum(one.new for one in forecast(wanted, store, 2).stages)

    measure: Callable[..., int] = benchmark.pedantic
    stages = measure(plan, rounds=1)
    benchmark.extra_info.update(cells=len(cells), stages=stages)
    assert stages > 4 * len(cells)
