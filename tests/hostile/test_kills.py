"""Killed (SIGKILL) in each kind of stage and at any moment of a command, it goes on where it was.

A forked process runs the command, and its stages with it. It says when a stage begins; how long
after that it is killed is drawn. One kill of every fourth stage is done, and 2 of whole commands;
with ``FUZZ_TIMES`` above 1 there are 20 of each stage and 50. Another test kills worker processes,
and a slow one those that the engine trl starts.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pytest

from end_to_end.command import Place, environment
from overopt.execution import worker
from overopt.execution.executors.local import ProcessExecutor
from overopt.execution.node import Node
from overopt.execution.store import Store
from overopt.run import driver

from .inprocess import STAGES, bench, check, run, without

MANY = int(os.environ.get("FUZZ_TIMES", "1")) > 1
STAGE_IN_TRL = "overopt.stages.optimize_trl"
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

    class Killed(ProcessExecutor):
        def submit(self, made: Node) -> None:
            super().submit(made)
            if made.name == stage and len(struck) < 2:
                struck.append(made.key)
                longest_s = seconds(finished, stage)
                threading.Timer(rng.uniform(0.0, longest_s), self.strike).start()

        def strike(self) -> None:
            for child in psutil.Process().children(recursive=True):
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()

    monkeypatch.setattr(driver, "Local", lambda workers: lambda store, tell: Killed(store, workers))
    for number in range(10 if MANY else 1):
        place = Place(tmp_path / str(number))
        without(finished, place, stage)
        struck.clear()
        monkeypatch.chdir(place.root)
        words = place.words("--workers", "1", "--method", "bon", "dpo", "--seeds", "1")
        ended = bench(*words[3:])
        assert ended.code == 0, ended
        assert struck
        check(place, finished)
        shutil.rmtree(place.root)


@linux
@pytest.mark.slow
def test_processes_of_the_engine_trl_killed_at_any_moment(tmp_path: Path) -> None:
    """The stage fails and says so; the same command goes on, and ends with the same bytes."""
    words = ("--method", "dpo", "--engine", "trl", "--set", "trl.processes=2", "--seeds", "1")
    whole, kills = Place.fresh(tmp_path / "whole"), 0
    whole.done(*words, "--workers", "1")
    (stage,) = whole.stages("optimize")
    receipt = Store(whole.store).receipt(stage.name)
    assert receipt is not None
    rng = random.Random(0)
    while kills < 20:
        place = Place(tmp_path / "copy")
        without(whole, place, "optimize")
        command = psutil.Popen(
            place.words(*words, "--workers", "1"),
            cwd=place.root,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        processes = _launched(command)
        psutil.wait_procs(processes, rng.uniform(0.0, receipt.wall_s))
        alive = [one for one in processes if one.is_running()]
        if alive:
            rng.choice(alive).kill()
        _, told = command.communicate()
        assert psutil.wait_procs(processes, 60)[1] == [], "a process outlives its command"
        assert "Traceback" not in told
        if command.returncode:
            assert command.returncode == 1 and "the processes ended with code" in told, told
            kills += 1
            place.done(*words, "--workers", "1")
        check(place, whole)
        shutil.rmtree(place.root)


def _launched(command: psutil.Popen) -> list[psutil.Process]:
    """The launcher and its two processes, once they are there."""
    while command.poll() is None:
        found = [
            one for one in command.children(recursive=True) if STAGE_IN_TRL in " ".join(_words(one))
        ]
        if len(found) == 3:
            return found
        time.sleep(0.05)
    raise AssertionError("the command is over before its processes are there")


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
