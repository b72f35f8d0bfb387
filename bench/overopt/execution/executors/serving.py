"""A worker on a shared folder: takes what is ready, has it built, and answers.

This process holds the leases and does nothing else, so that no stage keeps it from touching them;
stages run in processes of their own, as they do for a driver on this machine.
"""

from __future__ import annotations

import math
import os
import platform
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from filelock import BaseFileLock

from overopt.errors import UserError
from overopt.execution.code.modules import PACKAGE
from overopt.execution.code.version import code_version
from overopt.execution.executors.board import Desk, Note, Unreadable, desks
from overopt.execution.executors.local import ProcessExecutor
from overopt.execution.messages import Advanced, Message
from overopt.execution.stage import stage_module
from overopt.execution.store import Store
from overopt.execution.tenure.locks import is_lost
from overopt.execution.worker import Order

_FIRST_POLL_S, _LAST_POLL_S = 0.02, 1.0
_NOTES_S = 3.0
_CHECK_S = 1.0


@dataclass
class _Job:
    """An order that was taken: from which desk, under which attempt's name, with which lease."""

    desk: Desk
    name: str
    lock: BaseFileLock
    noted_s: float


class Server:
    """Serves all drivers of a store until it is told to stop.

    Args:
        store: on the shared folder.
        workers: stages that run at once.
        tell: called with a sentence for whoever reads the worker's log.
        packages: where stages may come from.
    """

    def __init__(
        self,
        store: Store,
        workers: int,
        tell: Callable[[str], None] = lambda text: None,
        packages: tuple[str, ...] = (PACKAGE,),
    ) -> None:
        self._store, self._workers, self._tell = store, workers, tell
        self._packages = packages
        self._id = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._jobs: dict[str, _Job] = {}
        self._refused: set[tuple[str, str]] = set()
        self._checked_s = 0.0
        self._answered = 0

    def serve(self, stop: Event, leave_after_s: float = math.inf) -> int:
        """Work until ``stop`` is set, or until nothing was ready for ``leave_after_s``.

        What runs when ``stop`` is set is given back: another worker takes it.

        Returns:
            How many orders were answered.
        """
        self._store.prepare()
        self._store.share()
        self._store.hold()
        idle_s, poll_s = time.monotonic(), _FIRST_POLL_S
        try:
            with ProcessExecutor(self._store, self._workers) as executor:
                try:
                    while not stop.is_set():
                        took = self._take_more(executor)
                        if took or self._jobs:
                            idle_s = time.monotonic()
                        elif (
                            leave_after_s is not None and time.monotonic() - idle_s > leave_after_s
                        ):
                            self._tell(f"Nothing was ready for {leave_after_s:g} s; leaving.")
                            break
                        poll_s = _FIRST_POLL_S if took else min(1.5 * poll_s, _LAST_POLL_S)
                        if self._advance(executor, stop, poll_s):
                            poll_s = _FIRST_POLL_S
                finally:
                    executor.stop()
                    self._give_back()
        finally:
            self._store.close()
        return self._answered

    # Orders ---------------------------------------------------------------------------------------

    def _take_more(self, executor: ProcessExecutor) -> bool:
        """Fill the free places with the orders that are first; whether there was one."""
        took = False
        if len(self._jobs) >= self._workers:
            return took
        for desk in desks(self._store):
            for name in desk.names("ready"):
                if len(self._jobs) >= self._workers:
                    return took
                task = self._readable(desk, name)
                if task is not None and self._take(executor, desk, name, task):
                    took = True
        return took

    def _readable(self, desk: Desk, name: str) -> Order | None:
        """An order that this worker can carry out."""
        if (str(desk.folder), name) in self._refused:
            return None
        try:
            task = desk.read(name, self._store.root)
            if task is not None:
                self._check(task)
        except (Unreadable, UserError) as error:
            self._refused.add((str(desk.folder), name))
            why = f"Worker {self._id} leaves an order alone: {error}"
            desk.refuse(self._id, why)
            self._tell(why)
            return None
        return task

    def _check(self, task: Order) -> None:
        """Refuse code that is not the driver's, or of no package that stages come from."""
        module = stage_module(task.node.stage)
        if not any(module.startswith(f"{package}.") for package in self._packages):
            raise Unreadable(f"{module} is no module of {' or '.join(self._packages)}")
        if code_version(module, *task.node.extra_code) != task.node.code:
            raise Unreadable(
                f"the code of the stage {task.node.name} is not the same here as where the run "
                "was started; install the same version of overopt, and of the libraries that its "
                "results depend on, in both places"
            )

    def _take(self, executor: ProcessExecutor, desk: Desk, name: str, task: Order) -> bool:
        lock = self._store.take(task.key)
        if lock is None:
            return False
        if task.key in self._jobs or not desk.take(name):
            lock.release()
            return False
        self._jobs[task.key] = _Job(desk, name, lock, time.monotonic())
        executor.hand(task)
        return True

    # Stages ---------------------------------------------------------------------------------------

    def _advance(self, executor: ProcessExecutor, stop: Event, timeout_s: float) -> bool:
        """Pass on what the stages tell; whether one has ended."""
        if not self._jobs:
            stop.wait(timeout_s)
            return False
        message = executor.next_message(timeout_s)
        now_s = time.monotonic()
        if now_s - self._checked_s > _CHECK_S:
            self._checked_s = now_s
            self._drop_unwanted(executor)
        job = self._jobs.get(message.key) if message is not None else None
        if message is None or job is None:
            return False
        if not isinstance(message, Advanced):
            self._end(job, message)
            return True
        if now_s - job.noted_s > _NOTES_S:
            job.noted_s = now_s
            job.desk.tell(
                job.name,
                Note(
                    fraction=message.fraction,
                    text=message.text,
                    host=platform.node(),
                    pid=os.getpid(),
                ),
            )
        return False

    def _end(self, job: _Job, message: Message) -> None:
        del self._jobs[message.key]
        if not is_lost(job.lock):
            job.desk.end(job.name, message)
            self._answered += 1
        job.lock.release()

    def _drop_unwanted(self, executor: ProcessExecutor) -> None:
        """Give up stages that nobody waits for any more, or that others took from this worker."""
        list(desks(self._store))
        for key, job in list(self._jobs.items()):
            if is_lost(job.lock) or not job.desk.is_wanted(job.name):
                executor.give_up(key)
                del self._jobs[key]
                job.lock.release()

    def _give_back(self) -> None:
        """Let others take what ran here; the processes that ran it have ended."""
        for job in self._jobs.values():
            if not is_lost(job.lock):
                job.desk.give_back(job.name)
            job.lock.release()
        self._jobs.clear()
