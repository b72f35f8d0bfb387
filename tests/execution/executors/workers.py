"""Workers on a shared folder, as processes of their own, for toy stages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from overopt.execution.executors.shared import SharedExecutor
from overopt.execution.node import Node
from overopt.execution.outcomes import Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.store import Store

from .. import toys
from ..toys import once

LEASE_S = 1.5
"""Long enough for a busy machine: what is tested is not how long it is."""
PROGRAM = """
import signal, socket, sys, time
from pathlib import Path
from threading import Event

host, jump_s = sys.argv[2], float(sys.argv[3])
if host:
    socket.gethostname = lambda: host
if jump_s:
    now, begun = time.time, time.monotonic()
    time.time = lambda: now() + (jump_s if int(2 * (time.monotonic() - begun)) % 2 else -jump_s)

from overopt.execution.executors.serving import Server
from overopt.execution.store import Store

if __name__ == "__main__":
    stop = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    print("up", flush=True)
    store = Store(Path(sys.argv[1]))
    server = Server(store, 1, lambda text: print(text, flush=True), (sys.argv[4],))
    print("answered", server.serve(stop), flush=True)
"""


def start(root: Path, host: str = "", jump_s: float = 0.0) -> subprocess.Popen[str]:
    """A worker with one place.

    Args:
        root: of the store.
        host: the name that it takes its machine for; by default the real one.
        jump_s: its clock jumps forth and back by so much, every half second.
    """
    package = toys.STAGES.rpartition(".")[0]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(root), host, str(jump_s), package],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@contextmanager
def running(root: Path, count: int = 1, host: str = "") -> Iterator[list[subprocess.Popen[str]]]:
    """Some workers, killed at the end."""
    processes = [start(root, host) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def shared(root: Path) -> Store:
    """A store that workers may share, with short leases."""
    store = Store(root)
    store.prepare()
    store.share(LEASE_S)
    return store


def drive(store: Store, wanted: Sequence[Node], told: list[Notice] | None = None) -> list[Outcome]:
    """Have some nodes built by the workers of a store."""
    with SharedExecutor(store) as executor:
        [result] = execute(
            [once(wanted)], store, executor, told.append if told is not None else None
        )
    assert result.value is not None, result.error
    return result.value
