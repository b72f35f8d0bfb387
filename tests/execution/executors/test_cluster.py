"""A Ray cluster of two nodes on this machine: what an actor, a node and a wrong token cost."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import pytest

from overopt.errors import UserError
from overopt.execution.executors.cluster import ClusterExecutor
from overopt.execution.executors.connection import SETTINGS
from overopt.execution.executors.share import ONE_CORE, Share
from overopt.execution.node import Node
from overopt.execution.outcomes import Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.store import Store

from .. import inline
from ..toys import contents, ladder, once, toy

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None, reason="the extra overopt[ray] is not installed"
)
Log = Callable[[], list[str]]
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


TOKEN = secrets.token_hex(32)
"""Ray reads it, and whether there is one, when it is imported."""


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nodes and drivers inherit from this process."""
    for name, value in {**SETTINGS, "RAY_AUTH_TOKEN": TOKEN}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(place for place in sys.path if place))


@contextmanager
def cluster(nodes: int) -> Iterator[Any]:
    """A cluster whose nodes are on this machine."""
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args=dict(NODE), shutdown_at_exit=False)
    try:
        for _ in range(nodes - 1):
            started.add_node(**NODE)
        yield started
    finally:
        started.shutdown()


def drive(
    store: Store,
    address: str,
    wanted: Sequence[Node],
    told: list[Notice],
    share: Callable[[Node], Share] = lambda made: ONE_CORE,
) -> list[Outcome]:
    """Have some nodes built by a cluster; all that was told is kept."""
    with ClusterExecutor(store, address, None, share) as executor:
        [result] = execute([once(wanted)], store, executor, told.append)
        assert _object_store_bytes() == 0
    assert result.value is not None, result.error
    return result.value


def _object_store_bytes() -> float:
    """What lies in the object stores of all nodes."""
    import ray

    room = "object_store_memory"
    return float(ray.cluster_resources()[room] - ray.available_resources()[room])


def wait_for(log: Log, count: int) -> list[str]:
    """The lines of stages that stall, once there are so many."""
    for _ in range(1200):
        lines = [line for line in log() if line.startswith("stall")]
        if len(lines) >= count:
            return lines
        Event().wait(0.1)
    raise AssertionError(f"{count} stages have not begun")


def go_on(log: Path) -> None:
    """Let all stages that stall come to their end."""
    with log.open("a") as stream:
        stream.write("go\n")


def test_two_nodes_equal_bytes_whatever_dies(tmp_path: Path, toy_log: Log) -> None:
    top, quiet, log = ladder(3, 3), Store(tmp_path / "quiet"), tmp_path / "toy.log"
    stalling = [toy("stall", value=number, timeout_s=None) for number in (1, 2)]
    log.write_text("go\n")
    inline.build(quiet, *top, *stalling)
    log.write_text("")
    store, told = Store(tmp_path / "store"), list[Notice]()

    def strike(started: Any) -> None:
        """Kill an actor at its stage, then the node of one of the two that run after that."""
        first, second = wait_for(toy_log, 2)
        assert first.split()[3] != second.split()[3], "each node has one of them"
        psutil.Process(int(first.split()[2])).kill()
        *_, third = wait_for(toy_log, 3)
        assert third.split()[1] == first.split()[1]
        [node] = started.worker_nodes
        raylet = node.all_processes["raylet"][0].process.pid
        there = [line.split()[2] for line in (second, third) if line.split()[3] == str(raylet)]
        lost = [psutil.Process(int(process)) for process in there]
        started.remove_node(node, allow_graceful=False)
        psutil.wait_procs(lost, timeout=60)  # they outlive their node for a moment
        go_on(log)

    with cluster(2) as started:
        outcomes = drive(store, started.address, top, told)
        assert set(Counter(inline.begun(toy_log)).values()) == {1}
        assert all(outcome.path for outcome in outcomes)
        [fitted] = drive(store, started.address, [toy("threads")], told, lambda made: Share(0.5, 1))
        assert fitted.path is not None
        assert (fitted.path / "environment.txt").read_text() == "1 1 false"
        striking = Thread(target=strike, args=(started,))
        striking.start()
        outcomes = drive(store, started.address, stalling, told)
        striking.join()
        assert all(outcome.path for outcome in outcomes), outcomes
        refused = _with_another_token(started.address, tmp_path)
    assert contents(store, [*top, *stalling]) == contents(quiet, [*top, *stalling])
    retried = [one for one in told if one.kind == "retried"]
    assert len(retried) == 2
    assert all("its Ray actor is gone" in one.text for one in retried)
    begun = Counter(line.split()[1] for line in toy_log() if line.startswith("stall"))
    assert begun.total() == 2 + len(retried)
    assert "UserError: No Ray cluster answers at" in refused
    assert "RAY_AUTH_TOKEN" in refused


def _with_another_token(address: str, folder: Path) -> str:
    """What somebody is told who does not have the cluster's token."""
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from overopt.execution.executors.cluster import ClusterExecutor\n"
        "from overopt.execution.store import Store\n"
        "ClusterExecutor(Store(Path(sys.argv[1])), sys.argv[2], None, lambda made: None)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(folder / "stranger"), address],
        env={**os.environ, "RAY_AUTH_TOKEN": secrets.token_hex(32)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 1
    return ended.stderr


def test_a_cluster_of_this_machine_and_stages_that_fail(tmp_path: Path, toy_log: Log) -> None:
    store = Store(tmp_path / "store")
    wanted = [toy("fail"), toy("hang", timeout_s=2.0), toy("number", value=3)]
    with ClusterExecutor(store, None, 2, lambda made: ONE_CORE) as executor:
        [result] = execute([once(wanted)], store, executor)
    assert result.value is not None
    raised, late, fine = result.value
    assert raised.failure is not None
    assert raised.failure.message == "ZeroDivisionError: a toy divided by zero"
    assert late.failure is not None
    assert late.failure.message == "it took longer than 2 s, 3 times"
    assert fine.path is not None
    assert toy_log().count("fail") == 1


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:", ":6379", "head:port"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError, match="write it as HOST:PORT"):
        ClusterExecutor(Store(tmp_path), address, None, lambda made: ONE_CORE)


def test_no_cluster_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No Ray cluster answers at 127\.0\.0\.1:1"):
        ClusterExecutor(Store(tmp_path), "127.0.0.1:1", None, lambda made: ONE_CORE)
