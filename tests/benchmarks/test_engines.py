"""Time and memory of a step on each engine, on the same work; compare within a group.

``pytest tests/benchmarks/test_engines.py -s`` prints how many times as long as the native engine
each other one took: the median over rounds that alternate, because on a shared machine the same
work takes half as long again from one minute to the next. The table has seconds of one thread's
processor time for all steps, and ``--benchmark-json`` has ``ms_per_step`` and ``times_native``.

Building TRL's own trainer is outside of the clock, and so is its scoring of the reference, which
is done once. A run of native has that scoring in the clock, and one of inside the building of the
trainer too, some tenths of a second. On fresh samples, native and inside
look at one more batch than TRL: the final policy's. Nothing asserts on time.
Memory is measured in a fresh process each: the peak above what the process held before the run.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import psutil
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from .engine_work import SMALL, TINY, VARIED, Engine, Family, Run, Size, prepare

SIZES = {"tiny": TINY, "small": SMALL}
ROUNDS = 5


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def record(
    benchmark: BenchmarkFixture, engine: Engine, family: Family, size: Size, folder: Path
) -> None:
    """Time an engine, every round of it right after a round of the native one."""
    timed: Any = benchmark
    native_s: list[float] = []

    def set_up() -> tuple[tuple[Run], dict[str, Any]]:
        if timed.enabled and engine != "native":
            native_s.append(seconds(prepare("native", family, size, folder)))
        return (prepare(engine, family, size, folder),), {}

    taken = timed.pedantic(lambda run: run(), setup=set_up, rounds=ROUNDS)
    assert taken == size.steps
    if benchmark.stats is None:
        return
    stats: Any = benchmark.stats.stats
    benchmark.extra_info["ms_per_step"] = 1e3 * stats.min / size.steps
    ratios = [taken_s / base_s for taken_s, base_s in zip(stats.data, native_s, strict=False)]
    if ratios:
        benchmark.extra_info["times_native"] = statistics.median(ratios)
        spread = " ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
        print(f"\n{family} {engine}: {statistics.median(ratios):.2f} times native ({spread})")


def seconds(run: Run) -> float:
    """Processor time of a run."""
    start = time.process_time()
    run()
    return time.process_time() - start


@pytest.mark.parametrize("engine", get_args(Engine))
@pytest.mark.benchmark(group="engines: a step on 64 pairs, tiny", timer=time.process_time)
def test_pairs_tiny(benchmark: BenchmarkFixture, engine: Engine, tmp_path: Path) -> None:
    record(benchmark, engine, "pairs", TINY, tmp_path)


@pytest.mark.parametrize("engine", get_args(Engine))
@pytest.mark.benchmark(group="engines: a step on 64 fresh samples, tiny", timer=time.process_time)
def test_rollout_tiny(benchmark: BenchmarkFixture, engine: Engine, tmp_path: Path) -> None:
    record(benchmark, engine, "rollout", TINY, tmp_path)


@pytest.mark.parametrize("engine", get_args(Engine))
@pytest.mark.benchmark(
    group="engines: a step on 64 fresh samples of varied length, tiny", timer=time.process_time
)
def test_rollout_varied(benchmark: BenchmarkFixture, engine: Engine, tmp_path: Path) -> None:
    record(benchmark, engine, "rollout", VARIED, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("engine", get_args(Engine))
@pytest.mark.benchmark(group="engines: a step on 16 pairs, small", timer=time.process_time)
def test_pairs_small(benchmark: BenchmarkFixture, engine: Engine, tmp_path: Path) -> None:
    record(benchmark, engine, "pairs", SMALL, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("engine", get_args(Engine))
@pytest.mark.benchmark(group="engines: a step on 16 fresh samples, small", timer=time.process_time)
def test_rollout_small(benchmark: BenchmarkFixture, engine: Engine, tmp_path: Path) -> None:
    record(benchmark, engine, "rollout", SMALL, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("engine", get_args(Engine))
@pytest.mark.parametrize("family", get_args(Family))
@pytest.mark.parametrize("size", SIZES)
def test_memory(engine: Engine, family: Family, size: str, record_property: Any) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        peak_bytes: int = pool.apply(measure_peak, (engine, family, size))
    record_property("peak_bytes", peak_bytes)
    print(f"\n{size} {family} {engine}: {peak_bytes / 1e6:.0f} MB above the start")
    assert peak_bytes > 0


def measure_peak(engine: Engine, family: Family, size: str) -> int:
    """Peak resident memory above what the process held once the libraries were there, bytes."""
    torch.set_num_threads(1)
    before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    with tempfile.TemporaryDirectory() as folder:
        prepare(engine, family, SIZES[size], Path(folder))()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    peak_bytes = int(peak.split()[1]) * 1024
    return peak_bytes - int(before)
