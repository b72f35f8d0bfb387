"""What planning takes for each cell, at a twenty-fifth of the largest run; processor time.

``CELLS=100800 pytest tests/benchmarks/test_plan.py`` measures it whole.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from overopt.catalog import systems, toml_files
from overopt.execution.artifact import MANIFEST, FileEntry, InputEntry, Manifest
from overopt.execution.node import Node, ancestry, uncollected
from overopt.execution.standing.brief import FILE
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
CELLS = int(os.environ.get("CELLS", "4032"))


def large_run(cells: int) -> RunSpec:
    """25 methods that see the proxy and 4 that do not, 20 systems, 4 noises, and seeds."""
    task = toml_files.load_task("reviews")
    worlds = max(1, min(5, cells // 2016))
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


def wanted_of(run: RunSpec) -> list[Node]:
    """What a plan of a run looks up."""
    graphs = Graphs(Graph)
    return [made for cell in cells_of(run) for made in foreseen(graphs(cell), run)]


def planned(run: RunSpec, store: Store) -> tuple[int, int]:
    """Stages that a plan finds new, and that it finds done."""
    with uncollected():
        stages = forecast(wanted_of(run), store, 2).stages
    return sum(one.new for one in stages), sum(one.cached for one in stages)


def fill(store: Store, nodes: list[Node]) -> int:
    """A manifest for each node and all that it needs, and no data: a plan reads none."""
    every = list(ancestry(nodes))
    for made in every:
        folder = store.folder(made.key)
        folder.mkdir(parents=True)
        manifest = Manifest(
            made.key,
            made.stage,
            made.label,
            made.params,
            made.code,
            {role: InputEntry(given.key, given.key) for role, given in made.inputs},
            {"points.json": FileEntry("0" * 64, 1000)},
        )
        body = {**manifest.to_json(), "digest": made.key}
        (folder / MANIFEST).write_text(json.dumps(body, indent=1))
    return len(every)


@pytest.mark.benchmark(group="plan", timer=time.process_time)
def test_plan_of_an_empty_store(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    run, store = large_run(CELLS), Store(tmp_path / "store")
    measure: Callable[..., tuple[int, int]] = benchmark.pedantic
    stages, _ = measure(planned, args=(run, store), rounds=1)
    cells = len(cells_of(run))
    benchmark.extra_info.update(cells=cells, stages=stages)
    assert stages > 4 * cells


@pytest.mark.parametrize("notes", [False, True])
@pytest.mark.benchmark(group="plan of a full store", timer=time.process_time)
def test_plan_of_a_full_store(benchmark: BenchmarkFixture, tmp_path: Path, notes: bool) -> None:
    run, store = large_run(CELLS if CELLS > 20_000 else CELLS // 2), Store(tmp_path / "store")
    count = fill(store, wanted_of(run))
    if notes:
        planned(run, store)
    assert (store.root / FILE).exists() is notes
    measure: Callable[..., tuple[int, int]] = benchmark.pedantic
    assert measure(planned, args=(run, store), rounds=1) == (0, count)
    benchmark.extra_info.update(stages=count)
