"""What a stage costs each executor when the stage itself does next to nothing.

``python tests/benchmarks/executors.py inline local workers ray bucket`` prints a line for each:
stages per second, and seconds of processor per stage of the driver and of all that it started.
Starting is not in the clock: a few stages come before. ``bucket`` needs the environment of an
object store and ``$PLACE``, an ``s3://`` address.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil

from execution.executors.workers import running, shared
from execution.toys import once, total
from overopt.execution.executors.cluster import ClusterExecutor
from overopt.execution.executors.executor import Executor
from overopt.execution.executors.local import InlineExecutor, ProcessExecutor
from overopt.execution.executors.share import ONE_CORE
from overopt.execution.executors.shared import SharedExecutor
from overopt.execution.node import Node
from overopt.execution.scheduler import execute
from overopt.execution.store import Store, open_store

STAGES = int(os.environ.get("STAGES", "200"))


@contextmanager
def opened(name: str, folder: Path) -> Iterator[tuple[Store, Executor]]:
    """A fresh store with an executor; two stages at once where it can."""
    if name == "workers":
        store = shared(folder)
        with running(folder, 2), SharedExecutor(store) as published:
            yield store, published
        return
    store = open_store(os.environ["PLACE"]) if name == "bucket" else Store(folder)
    if name == "inline":
        yield store, InlineExecutor(store)
    elif name == "ray":
        with ClusterExecutor(store, None, 2, lambda made: ONE_CORE) as cluster:
            yield store, cluster
    else:
        with ProcessExecutor(store, 2) as processes:
            yield store, processes


def spent_s() -> float:
    """Processor seconds of this process and of all below it, dead ones that were waited for too."""
    everybody = [psutil.Process(), *psutil.Process().children(recursive=True)]
    times = [one.cpu_times() for one in everybody if one.is_running()]
    spent = (one.user + one.system + one.children_user + one.children_system for one in times)
    return float(sum(spent))


def work(first: int, count: int) -> list[Node]:
    """Stages that nobody has done."""
    return [total(f"stage {number}", {}, value=number) for number in range(first, first + count)]


def main() -> None:
    """Measure each executor that was named."""
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as place:
            os.environ["TOY_LOG"] = str(Path(place) / "toy.log")
            with opened(name, Path(place) / "store") as (store, executor):
                execute([once(work(0, 8))], store, executor)
                before_s, began_s = spent_s(), time.monotonic()
                execute([once(work(8, STAGES))], store, executor)
                wall_s, cpu_s = time.monotonic() - began_s, spent_s() - before_s
            print(
                f"{name}: {STAGES / wall_s:.1f} stages/s, "
                f"{1000 * cpu_s / STAGES:.1f} ms of processor a stage; "
                f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
                flush=True,
            )


if __name__ == "__main__":
    main()
