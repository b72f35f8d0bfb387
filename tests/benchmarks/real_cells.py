"""What executors add to the stages of real cells, and whether all of them leave the same bytes.

``python tests/benchmarks/real_cells.py local workers ray`` runs a small grid by the command line,
from an empty store, once with each executor and two stages at a time: two local processes, two
``bench worker``, and a Ray cluster of two nodes on this machine with a core each. It prints a line
for each and ends with an error where an artifact or a table of results is not that of the first.

The cost of a stage is what its receipt says; what the command and all that it needs have used
beyond that is the executor's, with what is done once: starting Python, planning, writing results.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

import psutil

GRID = ("--task", "tabular", "--method", "dpo", "rloo", "--seeds", "2", "--kl-grid", "0.5", "1")
BENCH = (sys.executable, "-m", "overopt")
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


class Ran(NamedTuple):
    """One run: what it left by name, and what it took."""

    left: dict[str, str]
    stages: int
    wall_s: float
    stages_wall_s: float
    cpu_s: float
    stages_cpu_s: float

    def line(self, name: str, places: int = 2) -> str:
        """What it took, and what of it was not the stages'."""
        beyond_s, idle_s = self.cpu_s - self.stages_cpu_s, self.wall_s - self.stages_wall_s / places
        return (
            f"{name}: {self.stages} stages, processor {self.cpu_s:.1f} s, of which stages "
            f"{self.stages_cpu_s:.1f}; beyond them {beyond_s / self.stages:.2f} s a stage, "
            f"{beyond_s / self.stages_cpu_s:.0%}; wall {self.wall_s:.1f} s, beyond the stages' "
            f"{idle_s / self.stages:.2f} s a stage; load {os.getloadavg()[0]:.0f}"
        )


def run(name: str, folder: Path, grid: Sequence[str] = GRID) -> Ran:
    """Run the grid from nothing with an executor."""
    store, out = folder / "store", folder / "results"
    command = [*BENCH, "run", *grid, "--quiet", "--store", str(store), "--out", str(out)]
    with OPENED[name](store) as options, Meter() as meter:
        before_s, began_s = meter.spent_s(), time.monotonic()
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
        wall_s, cpu_s = time.monotonic() - began_s, meter.spent_s() - before_s
    receipts = [json.loads(line) for line in (store / "costs.jsonl").read_text().splitlines()]
    return Ran(
        {**_artifacts(store), **_tables(out)},
        len(receipts),
        wall_s,
        sum(one["wall_s"] for one in receipts),
        cpu_s,
        sum(one["cpu_s"] for one in receipts),
    )


def _artifacts(store: Path) -> dict[str, str]:
    manifests = (json.loads(path.read_bytes()) for path in store.glob("??/*/manifest.json"))
    return {one["key"]: one["digest"] for one in manifests}


def _tables(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*.csv")
    }


class Meter:
    """Processor seconds of all below this process, by a look at each of them twice a second.

    Whoever ends between two looks takes with it what it has used since the first: Ray's actors
    are waited for by nobody who would say.
    """

    def __init__(self) -> None:
        self._spent_s: dict[tuple[int, float], float] = {}
        self._ended = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def spent_s(self) -> float:
        """All that was seen so far."""
        self._note()
        return sum(self._spent_s.values())

    def _look(self) -> None:
        while not self._ended.wait(0.5):
            self._note()

    def _note(self) -> None:
        for one in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                self._spent_s[one.pid, one.create_time()] = float(times.user + times.system)


Opened = Iterator[list[str]]


@contextmanager
def _local(store: Path) -> Opened:
    yield ["--workers", "2"]


@contextmanager
def _workers(store: Path) -> Opened:
    command = [*BENCH, "worker", "--store", str(store), "--workers", "1"]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    try:
        yield ["--executor", "workers"]
    finally:
        for process in processes:
            process.terminate()
            process.wait()


@contextmanager
def _ray(store: Path) -> Opened:
    from overopt.execution.executors.connection import SETTINGS

    os.environ.update({**SETTINGS, "RAY_AUTH_TOKEN": secrets.token_hex(32)})
    os.environ["PYTHONPATH"] = os.pathsep.join(place for place in sys.path if place)
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=dict(NODE), shutdown_at_exit=False)
    try:
        cluster.add_node(**NODE)
        yield ["--executor", "ray", "--address", cluster.address]
    finally:
        cluster.shutdown()


OPENED = {"local": _local, "workers": _workers, "ray": _ray}


def main(names: Sequence[str]) -> None:
    """Run the grid with each executor.

    Raises:
        SystemExit: one of them left other bytes.
    """
    first: Ran | None = None
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            found = run(name, Path(place))
        print(found.line(name), flush=True)
        first = first or found
        if found.left != first.left:
            differ = [one for one in first.left if found.left.get(one) != first.left[one]]
            raise SystemExit(f"{name} left other bytes: {differ}")
    assert first is not None
    print(f"equal: {len(first.left)} artifacts and tables")


if __name__ == "__main__":
    main(sys.argv[1:])
