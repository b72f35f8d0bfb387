"""Executors run stages; the scheduler decides which. They pass keys, never tensors.

The interface is small so that a cluster can stand behind it: submit a node whose inputs are in the
store, take the next event, stop.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import queue
import signal
import tempfile
import time
from collections import deque
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import psutil
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from overopt.run.events import Advanced, Event, Lost, Raised
from overopt.run.graph import Node
from overopt.run.store import Store
from overopt.run.worker import build, build_reporting, enter_process, order
from overopt.stages.contract import silent

_POLL_S = 0.2
_SILENCE_S = 300.0


class Executor(Protocol):
    """What the scheduler needs of an executor; events come in any order."""

    @property
    def slots(self) -> int:
        """How many stages can run at once; the scheduler submits no more."""

    def submit(self, made: Node) -> None:
        """Start a node whose inputs are in the store."""

    def next_event(self, timeout_s: float) -> Event | None:
        """The next event, or None when none came in time."""

    def stop(self) -> None:
        """End all that runs, now; what was finished stays. May be called twice."""


class InlineExecutor:
    """Runs stages in this process, one after another; timeouts are not enforced."""

    def __init__(self, store: Store) -> None:
        self._root = store.root
        self._waiting: deque[Node] = deque()

    @property
    def slots(self) -> int:
        """One: a stage runs while the event is waited for."""
        return 1

    def submit(self, made: Node) -> None:
        """Keep the node for the next call of ``next_event``."""
        self._waiting.append(made)

    def next_event(self, timeout_s: float) -> Event | None:
        """Run the oldest submitted node to its end; with none, let the time pass."""
        if not self._waiting:
            time.sleep(timeout_s)
            return None
        return build(order(self._waiting.popleft(), self._root), silent)

    def stop(self) -> None:
        """Forget what has not begun."""
        self._waiting.clear()


@dataclass
class _Attempt:
    """A submitted stage: its future, where it reports, and what it reported last."""

    key: str
    future: ProcessFuture
    folder: Path
    timeout_s: float | None
    submitted_s: float
    modified_ns: int = 0
    pid: int | None = None
    dead_since_s: float | None = None


class ProcessExecutor:
    """Persistent worker processes on this machine, started fresh (spawn), one torch thread each.

    A worker that dies costs its own stage only. The workers end when this process ends, however
    it ends.

    Args:
        store: where inputs are read and artifacts are written.
        workers: number of processes.
    """

    def __init__(self, store: Store, workers: int) -> None:
        if workers < 1:
            raise ValueError(f"workers = {workers} must be at least 1")
        self._root = store.root
        self._workers = workers
        self._attempts: dict[int, _Attempt] = {}
        self._ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._reports: deque[Advanced] = deque()
        self._numbered = 0
        self._folder = tempfile.TemporaryDirectory(prefix="overopt-progress-")
        self._pool: ProcessPool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def slots(self) -> int:
        """The number of worker processes."""
        return self._workers

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Processes of the stages that have reported and are not known to have ended."""
        self._read_reports()
        return tuple(a.pid for a in self._attempts.values() if a.pid is not None)

    def submit(self, made: Node) -> None:
        """Hand the node to the next free worker."""
        self._numbered += 1
        number = self._numbered
        folder = Path(self._folder.name, str(number))
        folder.mkdir()
        timeout_s = made.resources.timeout_s
        future = self._living_pool().schedule(
            build_reporting, args=[order(made, self._root), str(folder)], timeout=timeout_s
        )
        self._attempts[number] = _Attempt(made.key, future, folder, timeout_s, time.monotonic())
        future.add_done_callback(lambda _: self._ended.put(number))

    def next_event(self, timeout_s: float) -> Event | None:
        """The next end of a stage, or the next report of a running one."""
        until_s = time.monotonic() + timeout_s
        while True:
            if self._reports:
                return self._reports.popleft()
            left_s = until_s - time.monotonic()
            try:
                number = self._ended.get(timeout=min(max(left_s, 0.0), _POLL_S))
            except queue.Empty:
                self._read_reports()
                lost = self._find_vanished()
                if lost is not None:
                    return lost
                if left_s <= 0 and not self._reports:
                    return None
                continue
            attempt = self._attempts.pop(number, None)
            if attempt is not None:
                return _outcome(attempt)

    def stop(self) -> None:
        """Kill the workers; unfinished stages leave nothing behind but a folder to sweep."""
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None
        self._attempts.clear()
        self._reports.clear()
        with suppress(OSError):
            self._folder.cleanup()

    def _living_pool(self) -> ProcessPool:
        """The pool; a new one where the old one broke, as when an idle worker was killed."""
        if self._pool is not None and not self._pool.active:
            self._pool.stop()
            self._pool.join()
            self._pool = None
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=self._workers,
                initializer=enter_process,
                initargs=[os.getpid()],
                context=multiprocessing.get_context("spawn"),
            )
        return self._pool

    def _read_reports(self) -> None:
        for attempt in self._attempts.values():
            with suppress(OSError, ValueError):
                path = attempt.folder / "now"
                modified_ns = path.stat().st_mtime_ns
                if modified_ns == attempt.modified_ns:
                    continue
                record = json.loads(path.read_bytes())
                attempt.modified_ns = modified_ns
                attempt.pid = int(record["pid"])
                self._reports.append(
                    Advanced(attempt.key, float(record["fraction"]), str(record["text"]))
                )

    def _find_vanished(self) -> Lost | None:
        """A stage whose worker is gone though the pool has not noticed.

        The pool learns of a task's worker by a message; a worker that dies before the message was
        read leaves a future that never ends.
        """
        now_s = time.monotonic()
        for number, attempt in self._attempts.items():
            if attempt.future.done():
                continue
            if attempt.pid is not None and psutil.pid_exists(attempt.pid):
                attempt.dead_since_s = None
                continue
            if attempt.pid is not None:
                attempt.dead_since_s = attempt.dead_since_s or now_s
                vanished = now_s - attempt.dead_since_s > 10 * _POLL_S
            else:
                vanished = now_s - attempt.submitted_s > _SILENCE_S
            if vanished:
                del self._attempts[number]
                attempt.future.cancel()
                return Lost(attempt.key, "died", "its worker process vanished")
        return None


def _outcome(attempt: _Attempt) -> Event:
    """Translate the end of a future."""
    try:
        event: Event = attempt.future.result()
        return event
    except ProcessExpired as error:
        return Lost(attempt.key, "died", f"its worker process {_ending(error.exitcode)}")
    except TimeoutError:
        return Lost(attempt.key, "timeout", f"it took longer than {attempt.timeout_s:g} s")
    except (BrokenProcessPool, CancelledError):
        return Lost(attempt.key, "died", "the worker processes broke down")
    except Exception as error:
        return Raised(attempt.key, f"{type(error).__name__}: {error}", "")


def _ending(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        with suppress(ValueError):
            name = signal.Signals(-exitcode).name
            hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
            return f"was killed by {name}{hint}"
    return f"ended with exit code {exitcode}"
