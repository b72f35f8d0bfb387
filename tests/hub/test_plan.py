"""Plans of hub runs: counts of the graph, and what each stage computes, holds and writes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from overopt.commands.arguments import resolve
from overopt.commands.plan import plan
from overopt.commands.request import Request
from overopt.engines.walk import kl_walk
from overopt.execution.node import Node, ancestry
from overopt.execution.store import Store
from overopt.models import sampling
from overopt.run.cells import cells_of
from overopt.run.forecasts import hub_nodes, hub_work
from overopt.run.forecasts.hub import (
    estimator,
    machine_of,
    needs,
    needs_accelerator,
)
from overopt.run.forecasts.hub_work import HubWork, Work
from overopt.run.forecasts.machines import ASSUMED, Accelerator, Machine, Phase
from overopt.run.forecasts.model_sizes import Sizes
from overopt.run.forecasts.source_need import download_gb
from overopt.run.forecasts.stages import Forecast, forecast
from overopt.run.graph import Graph
from overopt.run.pursuit import foreseen
from overopt.spec.run import RunSpec
from overopt.stages import anneal, particles, trajectory
from own import MIXTURE, SIFTED, VALUED

from . import folders

GPU = Machine(ASSUMED, is_found=False)


def nodes_of(run: RunSpec) -> list[Node]:
    cells = cells_of(run)
    wanted = [made for cell in cells for made in foreseen(Graph(cell), run)]
    return [*wanted, Graph(cells[0]).front(run.kl_grid_nats)]


def planned(run: RunSpec, store: Path, workers: int = 1) -> Forecast:
    return forecast(nodes_of(run), Store(store), workers, estimator(GPU))


def counts(found: Forecast) -> dict[str, int]:
    return {one.stage: one.new for one in found.stages}


REQUESTS = {
    "pairs and rollout, two systems that share a member, two seeds": (
        Request(method=["dpo", "rloo"], proxy=["single", "mean"], task="tldr", seeds=2),
        {
            "pool_excerpt": 1,
            "initial": 1, "gold": 1, "pool": 1, "front": 1, "pairs": 2, "labels": 2,
            "proxy": 2 * 5,
            "optimize": 2 * (1 + 2), "evaluate": 2 * (1 + 2),
            # the pool by 5 members; dpo, which sees none, by that of the first system; rloo against
            # single by 1 and against mean by 5
            "score": 2 * (5 + 1 + 1 + 5),
            "measure": 2 * (1 + 2), "rankings": 2 * (1 + 2),
        },
    ),
    "one system": (
        Request(method=["rloo"], task="hh", seeds=1),
        {
            "pool_excerpt": 1,
            "initial": 1, "gold": 1, "pool": 1, "front": 1, "pairs": 1, "labels": 1, "proxy": 1,
            "optimize": 1, "evaluate": 1, "score": 2, "measure": 1,
            "rankings": 1,
        },
    ),
    "three noises share pairs": (
        Request(method=["dpo"], proxy=["uwo"], task="hh", seeds=2, noise=["0", "0.1", "bt:1"]),
        {
            "pool_excerpt": 1,
            "initial": 1, "gold": 1, "pool": 1, "front": 1, "pairs": 2, "labels": 6,
            "proxy": 6 * 5, "optimize": 6, "evaluate": 6, "score": 6 * (5 + 5), "measure": 6,
            "rankings": 6,
        },
    ),
    "a selection method trains no policy": (
        Request(method=["bon"], proxy=["single", "wco"], task="ultrafeedback", seeds=3),
        {
            "initial": 1, "gold": 1, "pool": 1, "front": 1, "pairs": 3, "labels": 3,
            "proxy": 3 * 5, "score": 3 * 5, "select": 3 * 2,
        },
    ),
    "a merge method trains its members": (
        Request(method=["warp"], task="hh", seeds=2, settings=["warp.members=3"], engine="native"),
        {
            "pool_excerpt": 1,
            "initial": 1, "gold": 1, "pool": 1, "front": 1, "pairs": 2, "labels": 2, "proxy": 2,
            "optimize": 2 * 3, "merge": 2, "evaluate": 2, "score": 2 * 2, "measure": 2,
            "angles": 2,
        },
    ),
    "a composed policy costs the run of its member": (
        Request(method=[str(MIXTURE)], task="hh", seeds=2, engine="native"),
        {
            "pool_excerpt": 1,
            "initial": 1, "gold": 1, "pool": 1, "front": 1, "pairs": 2, "labels": 2, "proxy": 2,
            "optimize": 2, "compose": 2, "evaluate": 2, "score": 2 * 2, "measure": 2,
        },
    ),
    "values are learned before a policy is composed of them": (
        Request(method=[str(VALUED)], task="hh", seeds=2),
        {
            "pool_excerpt": 1,
            "initial": 1, "gold": 1, "pool": 1, "front": 1, "pairs": 2, "labels": 2, "proxy": 2,
            "value": 2, "compose": 2, "evaluate": 2, "score": 2 * 2, "measure": 2,
        },
    ),
    "answers that are resampled as they grow are judged afterwards": (
        Request(method=[str(SIFTED)], task="hh", seeds=2),
        {
            "pool_excerpt": 1,
            "initial": 1, "gold": 1, "pool": 1, "front": 1, "pairs": 2, "labels": 2, "proxy": 2,
            "particles": 2, "judge": 2, "score": 2 * 2, "measure": 2,
        },
    ),
    "sizes of data, and starts": (
        Request(
            method=["rloo"], task="tldr", seeds=1, comparisons=[512, 1024],
            proxy_start=["base", "policy"],
        ),
        {
            "pool_excerpt": 1,
            "initial": 1, "gold": 1, "pool": 1, "front": 1, "pairs": 2, "labels": 2, "proxy": 4,
            "optimize": 4, "evaluate": 4, "score": 4 * 2, "measure": 4,
            "rankings": 4,
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_counts_are_those_of_the_graph(name: str, tmp_path: Path) -> None:
    request, expected = REQUESTS[name]
    run = resolve(request)
    found = planned(run, tmp_path)
    assert counts(found) == expected
    assert counts(found) == Counter(made.name for made in ancestry(nodes_of(run)))
    assert found.wall_s is not None and found.disk_bytes is not None


def test_totals_are_sums_over_the_nodes(tmp_path: Path) -> None:
    """Half the seeds cost half of what seeds multiply, and one chain of stages cannot be split."""
    request, _ = REQUESTS["pairs and rollout, two systems that share a member, two seeds"]
    run = resolve(request)
    every = list(ancestry(nodes_of(run)))
    estimates = {made.key: estimator(GPU)(made) for made in every}
    found = planned(run, tmp_path)
    assert found.wall_s == pytest.approx(sum(one.wall_s or 0.0 for one in estimates.values()))
    for stage in found.stages:
        of_stage = [estimates[made.key] for made in every if made.name == stage.stage]
        assert stage.wall_s == pytest.approx(sum(one.wall_s or 0.0 for one in of_stage))
        assert stage.memory_bytes == max(one.memory_bytes or 0.0 for one in of_stage)
    one_seed = {
        stage.stage: stage.wall_s
        for stage in planned(run.model_copy(update={"seeds": (0,)}), tmp_path).stages
    }
    for stage in found.stages:
        shared = ("initial", "gold", "pool", "pool_excerpt", "front")
        times = 1 if stage.stage in shared else 2
        assert stage.wall_s == pytest.approx(times * (one_seed[stage.stage] or 0.0)), stage.stage


def test_one_accelerator_is_shared_by_all_workers(tmp_path: Path) -> None:
    run = resolve(REQUESTS["three noises share pairs"][0])
    one, many = planned(run, tmp_path), planned(run, tmp_path, workers=64)
    on_gpu = sum(stage.wall_s or 0.0 for stage in one.stages if stage.accelerated)
    assert many.wall_s == pytest.approx(on_gpu)
    on_cpu = {stage.stage for stage in one.stages if not stage.accelerated}
    # the task's pairs are those of its data
    assert on_cpu == {"pairs", "front", "measure", "pool_excerpt"}
    assert many.accelerator_bytes is not None and one.accelerator_bytes is not None
    assert one.accelerator_bytes == max(s.memory_bytes or 0 for s in one.stages if s.accelerated)
    assert many.accelerator_bytes > one.accelerator_bytes


def work_of(run: RunSpec) -> dict[str, Work]:
    """Work of a run's stages by name; where a stage comes several times, of the last one."""
    works = HubWork(Sizes(), GPU.cache_bytes)
    return {made.name: works.of(made) for made in ancestry(nodes_of(run))}


def test_work_of_a_shipped_task_by_hand() -> None:
    """tldr: policy 1.01 billion in float32, gold 7.5 billion in bfloat16, proxies 0.162 billion.

    Rows of 560 + 64 tokens; 256 held-out prompts, 256 samples of the pool, 64 of which are
    scored, 4 of a policy; 8,192
    comparisons and 512 held-out ones; at most 7 budgets + 3 early + 1 last policies.
    """
    dpo = work_of(resolve(Request(method=["dpo"], task="tldr", seeds=1)))
    row = 624
    policy, gold, proxy = 1.01e9, 7.5e9, 0.162e9
    pool = 256 * 256
    assert dpo["initial"].operations == pytest.approx(6 * policy * 20_000 * row)
    assert dpo["pool"].operations == pytest.approx(2 * (policy + gold) * pool * row)
    assert dpo["pairs"].operations == pytest.approx(2 * policy * 2 * (8192 + 512) * row)
    assert dpo["labels"].operations == pytest.approx(2 * gold * 2 * (8192 + 512) * row)
    learned, read = 2 * 8192, 2 * 2 * 512
    assert dpo["proxy"].operations == pytest.approx((6 * learned + 2 * read) * proxy * row)
    evaluated = 11 * 256 * 4
    assert dpo["evaluate"].operations == pytest.approx(2 * (3 * policy + gold) * evaluated * row)
    works = HubWork(Sizes(), GPU.cache_bytes)
    every = ancestry(nodes_of(resolve(Request(method=["dpo"], task="tldr", seeds=1))))
    scored = sorted(works.of(made).operations for made in every if made.name == "score")
    assert scored == pytest.approx([2 * proxy * rows * row for rows in (evaluated, 256 * 64)])
    # steps 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 22, 27, 33, 41, 51, 63, 78, 97, 121, 151, 188,
    # 235, 293, 366, 457, 571, 713, 891, 1113, 1391, 1738, 2172, and beyond 2,400
    probed = 128 * 35
    assert dpo["optimize"].operations == pytest.approx(
        (6 * 2400 * 16 + 2 * 2 * 8192 + 2 * 3 * probed) * policy * row
    )
    rloo = work_of(resolve(Request(method=["rloo"], proxy=["mean"], task="tldr", seeds=1)))
    drawn = 8 * 2 * 1601
    assert rloo["optimize"].operations == pytest.approx(
        (6 * policy * 16 * 1600 + (2 * 2 * policy + 5 * 2 * proxy) * drawn) * row
    )
    assert dpo["gold"].operations == dpo["front"].operations == dpo["measure"].operations == 0


def test_memory_and_disk_of_a_shipped_task_by_hand() -> None:
    """tldr again: 4.04 GB of policy, 0.648 of proxy, 15 of gold.

    Configurations are not here: (1.01e9 x 85 / 12)^(1/3) = 1927 wide, 1927 / 85 = 23 layers, and
    (0.162e9 x 85 / 12)^(1/3) = 1047 wide, 12 layers.
    """
    work = work_of(resolve(Request(method=["rloo"], proxy=["mean"], task="tldr", seeds=1)))
    policy, proxy, gold = 4.04e9, 0.648e9, 15e9
    a_token, a_proxy_token = 34 * 1927 * 23 * 2, 34 * 1047 * 12 * 2
    logits = 4 * 4 * 16 * 64 * 50_000
    assert work["optimize"].memory_bytes == pytest.approx(
        5 * policy + 5 * proxy + 16 * 624 * a_token + logits
    )
    assert work["proxy"].memory_bytes == pytest.approx(4 * proxy + 64 * 624 * a_proxy_token)
    assert work["evaluate"].memory_bytes == pytest.approx(2 * policy + gold)
    assert work["pool"].memory_bytes == pytest.approx(policy + gold)
    assert work["optimize"].disk_bytes == pytest.approx(11 * policy)
    assert work["initial"].disk_bytes == pytest.approx(policy)
    assert work["proxy"].disk_bytes == pytest.approx(proxy)
    assert work["evaluate"].load_bytes == pytest.approx(12 * policy + gold)
    assert work["optimize"].trains and work["proxy"].trains and not work["pool"].trains
    assert work["pool"].largest == 7.5e9 and work["score"].largest == 0.162e9


def test_sampling_reads_weights_a_batch_and_caches_a_row() -> None:
    """A token's keys and values: 23 layers x 2 x 1927 numbers of 4 bytes.

    A row of 624 tokens takes 221 MB, and a third of the 80 - 4.04 GB that are free holds 114 rows.
    """
    work = work_of(resolve(Request(method=["dpo"], task="tldr", seeds=1)))["pairs"]
    (phase,) = work.phases
    token = 23 * 2 * 1927 * 4
    assert work.cache_row_bytes == 624 * token
    rows, fitting = 2 * (8192 + 512), int((80e9 - 4.04e9) / 3 // (624 * token))
    assert fitting == 114
    batches = -(-rows // fitting)
    assert phase.read_bytes == pytest.approx(batches * 64 * 4.04e9 + rows * 64 * token * (560 + 32))


def test_settings_of_the_trl_engine_change_work_and_memory() -> None:
    def optimized(**settings: object) -> Work:
        given = [f"trl.{name}={str(value).lower()}" for name, value in settings.items()]
        asked = Request(method=["dpo"], task="tldr", seeds=1, settings=given, engine="trl")
        return work_of(resolve(asked))["optimize"]

    plain = optimized()
    assert optimized(bf16=True).phases[-1].dtype == "bfloat16"
    assert plain.phases[-1].dtype == "float32"
    adapted = optimized(lora_rank=8)
    assert adapted.memory_bytes == pytest.approx(plain.memory_bytes - 3 * 4.04e9)
    assert adapted.phases[-1].operations == pytest.approx(plain.phases[-1].operations * 4 / 6)
    assert optimized(processes=2).operations == pytest.approx(plain.operations / 2)
    beside = 5 * 4.04e9
    small = optimized(micro_batch=2).memory_bytes - beside
    assert small == pytest.approx((plain.memory_bytes - beside) / 4)
    assert optimized(gradient_checkpointing=True).memory_bytes < plain.memory_bytes


def test_a_phase_takes_the_longer_of_computing_and_reading() -> None:
    device = Accelerator("toy", 9e9, {"float32": 10.0, "bfloat16": 40.0}, 5.0)
    machine = Machine(device, is_found=True)
    phases = [Phase(100.0, "float32"), Phase(100.0, "bfloat16"), Phase(10.0, "float32", 30.0)]
    assert machine.seconds(phases, 2e9, True) == pytest.approx(1 + 2 + 10 + 2.5 + 6)
    assert machine.seconds([Phase(2e10, "bfloat16", 1e9)], 0.0, False) == pytest.approx(1 + 1)
    assert machine.cache_bytes(3e9) == pytest.approx(2e9)
    assert machine.cache_bytes(10e9) == 0
    assert Machine(None, is_found=False).cache_bytes(3e9) == 2**31


def test_small_models_are_costed_on_the_cpu_and_large_ones_on_a_gpu(tmp_path: Path) -> None:
    folders.write_folder(tmp_path / "policy", "gpt2")
    folders.write_table(tmp_path / "rows.parquet")
    run = resolve(Request(method=["rloo"], task=str(folders.write_task(tmp_path)), seeds=1))
    small, large = needs(run, True), needs(resolve(Request(method=["dpo"], task="hh")), True)
    assert not needs_accelerator(small) and needs_accelerator(large)
    device = Accelerator("toy", 9e9, {"float32": 1.0}, 1.0)
    assert machine_of(small, None).accelerator is None
    assert machine_of(large, None) == Machine(ASSUMED, is_found=False)
    assert machine_of(large, device) == Machine(device, is_found=True)
    found = forecast(nodes_of(run), Store(tmp_path), 1, estimator(machine_of(small, None)))
    assert not any(stage.accelerated for stage in found.stages)
    assert found.accelerator_bytes == 0 and found.memory_bytes is not None
    # what trains goes to an accelerator that is there, whatever its size
    with_gpu = forecast(nodes_of(run), Store(tmp_path), 1, estimator(GPU))
    assert {stage.stage for stage in with_gpu.stages if stage.accelerated} == {"optimize", "proxy"}


def test_a_model_of_unknown_size_makes_its_stages_unknown(tmp_path: Path) -> None:
    folders.write_folder(tmp_path / "policy", "gpt2")
    folders.write_table(tmp_path / "rows.parquet")
    absent = f'[classifier]\nname = "a/b"\nrevision = "{"0" * 40}"\n'
    path = folders.write_task(tmp_path, gold="classifier", tables=absent)
    run = resolve(Request(method=["bon"], task=str(path), seeds=1))
    found = forecast(nodes_of(run), Store(tmp_path), 1, estimator(GPU))
    known = {stage.stage: stage.wall_s is not None for stage in found.stages}
    assert known == {
        "initial": True, "gold": False, "pool": False, "pairs": True, "labels": False,
        "proxy": True, "score": True, "select": True, "front": True,
    }  # fmt: skip
    assert found.wall_s is found.accelerator_bytes is found.disk_bytes is None


def test_sizes_of_what_is_not_here() -> None:
    needed = needs(resolve(Request(method=["dpo"], task="tldr", seeds=1)), True)
    assert {one.state for one in needed} == {"missing offline"}
    assert download_gb(needed) == pytest.approx(2.1 + 0.12 + 0.01 + 15.0 + 0.38)


def test_a_plan_tells_one_story(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One time for the whole run, one for each kind of stage, and the machine they are of."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("overopt.commands.plan.find_accelerator", lambda: None)
    request, expected = REQUESTS["pairs and rollout, two systems that share a member, two seeds"]
    assert plan([resolve(request)], tmp_path, workers=2) == 0
    told = capsys.readouterr().out
    rows = {
        cells[1]: cells[3]
        for line in told.splitlines()
        if len(cells := [cell.strip() for cell in line.split("│")]) == 9 and cells[1] in expected
    }
    assert rows == {stage: str(count) for stage, count in expected.items()}
    assert len(re.findall(r"^about ", told, re.M)) == 1
    assert told.count("none was found here") == 1 and "H100" in told
    assert "give --workers 1" in told and "17.6 GB to download" in told


def test_what_a_plan_assumes_is_what_the_engines_do() -> None:
    """Their modules import torch, which a plan leaves alone, so that the numbers stand twice."""
    assert kl_walk.LARGEST_GAP == hub_nodes.LONGEST_GAP
    assert len(kl_walk.EARLY_FRACTIONS) == hub_nodes.EARLY_POLICIES
    assert trajectory.PROBE_ROWS == hub_work.PROBE_ROWS
    assert sampling.BATCH_ROWS == hub_work.SAMPLING_ROWS
    assert particles.LINEAGES == hub_work.LINEAGES
    assert hub_work.ANNEALING_SWEEPS % anneal.SWEEPS == 0
    assert Machine(None, is_found=False).cache_bytes(0.0) == sampling._CACHE_BYTES


def test_what_pairs_methods_ask_of_the_proxy_is_counted(tmp_path: Path) -> None:
    """Pairs that the proxy reads cost more than none, lists that the policy learns much more."""

    def seconds(method: str) -> float:
        run = resolve(Request(method=[method], task="tldr", seeds=1, engine="native"))
        stages = planned(run, tmp_path).stages
        (found,) = (one.wall_s for one in stages if one.stage == "optimize")
        assert found is not None
        return found

    plain, scored, listed = (seconds(method) for method in ("dpo", "mm-dpo", "rrhf"))
    assert plain < scored < 2 * plain < listed
