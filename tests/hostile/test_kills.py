"""Killed (SIGKILL) in each kind of stage and at any moment of a command, it goes on where it was.

A forked process runs the command, and its stages with it. It says when a stage begins; how long
after that it is killed is drawn. One kill of every fourth stage is done, and 2 of whole commands;
with ``FUZZ_TIMES`` above 1 there are 20 of each stage and 50. Another test kills worker processes.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pytest

from end_to_end.command import Place
from overopt.execution import worker
from overopt.execution.executors.local import ProcessExecutor
from overopt.execution.node import Node
from overopt.execution.store import Store
from overopt.run import driver

from .inprocess import STAGES, bench, check, run, without

MANY = int(os.environ.get("FUZZ_TIMES", "1")) > 1
linux = pytest.mark.skipif(sys.platform != "linux", reason="forks a process that holds torch")


def _command(place: Place, stage: str | None, told: Connection) -> None:
    """The command; tells when it begins, or when a stage does that it then does not outlive."""
    if stage is None:
        told.send_bytes(b"begun")
    build = worker._build_locked

    def telling(store: Any, task: worker.Order, progress: Any) -> Any:
        if task.node.name != stage:
            return build(store, task, progress)
        told.send_bytes(b"begun")
        build(store, task, progress)
        return threading.Event().wait()

    worker._build_locked = telling
    run(place)


def kill(place: Place, stage: str | None, longest_s: float, rng: random.Random) -> bool:
    """Start the command and kill it; False where it came to its end before."""
    forking = multiprocessing.get_context("fork")
    read, told = forking.Pipe(duplex=False)
    process = forking.Process(target=_command, args=(place, stage, told))
    process.start()
    told.close()
    read.recv_bytes()
    process.join(rng.uniform(0.0, longest_s))
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


def seconds(place: Place, stage: str) -> float:
    """What a stage took when nobody killed it, with its reading and its sealing; 2 s at most.

    The first stage of a process took its imports as well, which a forked one has done before.
    """
    receipts = [Store(place.store).receipt(folder.name) for folder in place.stages(stage)]
    return min(2.0, 0.3 + max(one.wall_s for one in receipts if one is not None))


@linux
@pytest.mark.parametrize("stage", STAGES if MANY else STAGES[1::4])
def test_killed_in_a_stage(stage: str, finished: Place, tmp_path: Path) -> None:
    """Before, in and after the sealing of its artifact; one that was sealed is made anew."""
    rng, sealed = random.Random(stage), 0
    place = Place(tmp_path / "copy")
    without(finished, place, stage)
    kills = 20 if MANY else 1
    for _ in range(kills):
        assert kill(place, stage, seconds(finished, stage), rng)
        for folder in place.stages(stage):
            sealed += 1
            shutil.rmtree(folder)
    ended = run(place)
    assert ended.code == 0, ended
    check(place, finished)
    print(f"{stage}: {kills} kills, {sealed} after the artifact was sealed")


@linux
def test_killed_at_any_moment_of_the_command(finished: Place, tmp_path: Path) -> None:
    rng, spent = random.Random(0), 0
    whole_s = sum(seconds(finished, stage) for stage in STAGES)
    for number in range(60):
        place = Place.fresh(tmp_path / str(number))
        while spent < (50 if MANY else 2) and kill(place, None, whole_s / 3, rng):
            spent += 1
        ended = run(place)
        assert ended.code == 0, ended
        check(place, finished)
        if spent >= (50 if MANY else 2):
            print(f"{spent} kills, {number + 1} stores")
            return
    raise AssertionError("the command is over before it can be killed")


@linux
@pytest.mark.parametrize("stage", STAGES if MANY else ["optimize"])
def test_a_worker_killed_twice_in_a_stage(
    stage: str, finished: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command starts another worker, and ends well."""
    rng, struck = random.Random(stage), list[str]()
    place = Place(tmp_path / "copy")
    without(finished, place, stage)

    class Killed(ProcessExecutor):
        def submit(self, made: Node) -> None:
            super().submit(made)
            if made.name == stage and len(struck) < 2:
                struck.append(made.key)
                threading.Timer(rng.uniform(0.0, 5.0), self.strike).start()

        def strike(self) -> None:
            for child in psutil.Process().children(recursive=True):
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()

    monkeypatch.setattr(driver, "Local", lambda workers: lambda store, tell: Killed(store, workers))
    monkeypatch.chdir(place.root)
    ended = bench(*place.words("--workers", "1", "--method", "bon", "dpo", "--seeds", "1")[3:])
    assert ended.code == 0, ended
    assert struck
    check(place, finished)
