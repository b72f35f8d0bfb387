"""Executors on this machine: worker processes, or the process that asks."""

from __future__ import annotations

import os
import queue
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from overopt.execution.contract import silent
from overopt.execution.messages import Advanced, Lost, Message, Raised
from overopt.execution.node import Node
from overopt.execution.progress import Report
from overopt.execution.store import Store
from overopt.execution.worker import (
    Order,
    build,
    build_reporting,
    enter_process,
    order,
    spawning,
)

_POLL_S = 0.2
_SILENCE_S = 300.0
_GRACE_S = 2.0
"""What the end of a worker may take to be told by its pool, which knows more of it."""


class InlineExecutor:
    """Runs stages in this process, one after another; timeouts are not enforced."""

    def __init__(self, store: Store) -> None:
        self._place = store.place
        self._waiting: deque[Node] = deque()

    @property
    def slots(self) -> int:
        """One: a stage runs while its message is waited for."""
        return 1

    def submit(self, made: Node) -> None:
        """Keep the node for the next call of ``next_message``."""
        self._waiting.append(made)

    def next_message(self, timeout_s: float) -> Message | None:
        """Run the oldest submitted node to its end; with none, let the time pass."""
        if not self._waiting:
            time.sleep(timeout_s)
            return None
        return build(order(self._waiting.popleft(), self._place), silent)

    def stop(self) -> None:
        """Forget what has not begun."""
        self._waiting.clear()


@dataclass
class _Attempt:
    """A submitted stage: its future, and the process that it was heard of from.

    begun_s, gone_s: when it was first heard of, and first seen to be gone.
    """

    key: str
    slot: int
    future: ProcessFuture
    timeout_s: float | None
    submitted_s: float
    pid: int | None = None
    begun_s: float | None = None
    gone_s: float | None = None


class _Worker:
    """A pool of one process, and the pipe through which its stages report.

    This process keeps the sending end open as well, because the pool passes it to every process
    that it starts anew.
    """

    def __init__(self) -> None:
        context = spawning()
        self._reports, self._sending = context.Pipe(duplex=False)
        self.pool = ProcessPool(
            max_workers=1,
            initializer=enter_process,
            initargs=[os.getpid(), self._sending],
            context=context,
        )

    def reports(self) -> Iterator[Report]:
        """What came since the last call."""
        while self._reports.poll():
            yield Report.from_bytes(self._reports.recv_bytes())

    def end(self) -> None:
        """Wait until the pool that was told to stop has stopped, and close the pipe."""
        self.pool.join()
        self._reports.close()
        self._sending.close()


@dataclass(frozen=True)
class Local:
    """Opens worker processes on this machine (see ``Opening``)."""

    workers: int

    def __call__(self, store: Store, tell: Callable[[str], None]) -> ProcessExecutor:
        """Open them."""
        return ProcessExecutor(store, self.workers)


class ProcessExecutor:
    """Persistent worker processes on this machine, started fresh (spawn), one torch thread each.

    Every worker has a pool of its own, so that a worker that dies at any moment, even in the
    middle of a message, takes nothing but its own stage with it. The workers end when this
    process ends, however it ends.

    Args:
        store: where inputs are read and artifacts are written.
        workers: number of processes.
    """

    def __init__(self, store: Store, workers: int) -> None:
        if workers < 1:
            raise ValueError(f"workers = {workers} must be at least 1")
        self._store = store
        self._workers: list[_Worker | None] = [None] * workers
        self._attempts: dict[int, _Attempt] = {}
        self._ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._reports: deque[Advanced] = deque()
        self._numbered = 0

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
        return len(self._workers)

    def submit(self, made: Node) -> None:
        """Hand the node to a free worker.

        Raises:
            RuntimeError: every worker is busy.
        """
        self.hand(order(made, self._store.place))

    def hand(self, task: Order) -> None:
        """``submit`` for a node that has traveled."""
        busy = {attempt.slot for attempt in self._attempts.values()}
        slot = next((i for i in range(self.slots) if i not in busy), None)
        if slot is None:
            raise RuntimeError(f"all {self.slots} workers are busy")
        self._numbered += 1
        number = self._numbered
        timeout_s = task.node.resources.timeout_s
        future = self._living_pool(slot).schedule(build_reporting, args=[task, number])
        self._attempts[number] = _Attempt(task.key, slot, future, timeout_s, time.monotonic())
        future.add_done_callback(lambda _: self._ended.put(number))

    def next_message(self, timeout_s: float) -> Message | None:
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
                lost = self._find_overdue() or self._find_vanished()
                if lost is not None:
                    return lost
                if left_s <= 0 and not self._reports:
                    return None
                continue
            if number in self._attempts:
                return self._end(number)

    def give_up(self, key: str) -> None:
        """Kill the worker of one stage; nothing more is heard of it."""
        for number, attempt in list(self._attempts.items()):
            if attempt.key == key:
                del self._attempts[number]
                self._discard(attempt.slot)

    def stop(self) -> None:
        """Kill the workers, and remove what they had not finished."""
        workers = [worker for worker in self._workers if worker is not None]
        for worker in workers:
            worker.pool.stop()
        for worker in workers:
            worker.end()
        if workers:
            with suppress(OSError):
                self._store.sweep()
        self._workers = [None] * self.slots
        self._attempts.clear()
        self._reports.clear()

    def _living_pool(self, slot: int) -> ProcessPool:
        """The slot's pool; a new one where there is none or where an idle worker was killed."""
        worker = self._workers[slot]
        if worker is not None and not worker.pool.active:
            self._discard(slot)
            worker = None
        if worker is None:
            worker = self._workers[slot] = _Worker()
        return worker.pool

    def _discard(self, slot: int) -> None:
        worker = self._workers[slot]
        if worker is not None:
            worker.pool.stop()
            worker.end()
            self._workers[slot] = None

    def _end(self, number: int) -> Message:
        attempt = self._attempts.pop(number)
        message = _outcome(attempt)
        if isinstance(message, Lost):
            self._discard(attempt.slot)
        return message

    def _read_reports(self) -> None:
        """Take the last report of every running stage, if there is a new one."""
        last = {
            report.number: report
            for worker in self._workers
            if worker is not None
            for report in worker.reports()
        }
        for number, report in last.items():
            attempt = self._attempts.get(number)
            if attempt is not None:
                if attempt.pid is None:
                    attempt.pid, attempt.begun_s = report.pid, time.monotonic()
                self._reports.append(Advanced(attempt.key, report.fraction, report.text))

    def _find_overdue(self) -> Lost | None:
        """A stage that took too long, by a clock that nobody sets; its worker is killed."""
        now_s = time.monotonic()
        for number, attempt in self._attempts.items():
            if attempt.timeout_s is None or attempt.begun_s is None or attempt.future.done():
                continue
            if now_s - attempt.begun_s > attempt.timeout_s:
                del self._attempts[number]
                self._discard(attempt.slot)
                reason = f"it took longer than {attempt.timeout_s:g} s"
                return Lost(attempt.key, "timeout", reason)
        return None

    def _find_vanished(self) -> Lost | None:
        """A stage that will never end: its pool broke before it took the task, or is silent.

        A pool whose idle worker was killed learns of it only after it has accepted a task. It never
        learns of a worker that has left with exit code 0, as if there were nothing more to do.
        """
        for number, attempt in self._attempts.items():
            worker = self._workers[attempt.slot]
            broken = worker is None or not worker.pool.active
            now_s = time.monotonic()
            silent_for_long = attempt.pid is None and now_s - attempt.submitted_s > _SILENCE_S
            if attempt.pid is not None and attempt.gone_s is None and _is_gone(attempt.pid):
                attempt.gone_s = now_s
            left = attempt.gone_s is not None and now_s - attempt.gone_s > _GRACE_S
            if not attempt.future.done() and (broken or silent_for_long or left):
                del self._attempts[number]
                self._discard(attempt.slot)
                how = "ended before the stage did" if left else "vanished"
                return Lost(attempt.key, "died", f"its worker process {how}")
        return None


def _is_gone(pid: int) -> bool:
    """Whether a process has ended, whether or not somebody has asked for its exit code."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _outcome(attempt: _Attempt) -> Message:
    """Translate the end of a future."""
    try:
        message: Message = attempt.future.result()
        return message
    except ProcessExpired as error:
        return Lost(attempt.key, "died", f"its worker process {_ending(error.exitcode)}")
    except (BrokenProcessPool, CancelledError):
        return Lost(attempt.key, "died", "the worker processes broke down")
    except Exception as error:
        return Raised(attempt.key, f"{type(error).__name__}: {error}", "")


def _ending(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        with suppress(ValueError):
            name = signal.Signals(-exitcode).name
            hint = ", perhaps because memory ran out" if name == "SIGKILL" else ""
            return f"was killed by {name}{hint}"
    return f"ended with exit code {exitcode}"
