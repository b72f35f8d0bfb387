"""A Ray cluster: few actors that live long, each of which builds one stage after another.

Actors get orders, which are keys and JSON, and answer with small messages; what stages read and
write lies in the store, so that Ray's object store stays empty. The driver holds the locks of the
keys. An actor or a node that dies costs the stages that ran there another try.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from filelock import BaseFileLock

from overopt.errors import UserError, one_line, words_of
from overopt.execution.executors.actor import Builder, Seen, seen_here
from overopt.execution.executors.connection import connected
from overopt.execution.executors.share import Share
from overopt.execution.messages import Advanced, Busy, Lost, Message
from overopt.execution.node import Node
from overopt.execution.store import Store
from overopt.execution.worker import Order, order

_POLL_S = 0.5
_PROGRESS_S = 2.0
_CAPACITY_S = 3.0


@dataclass(eq=False)
class _Actor:
    """One actor: its handle, what it takes, and the promise of its first words."""

    handle: Any
    share: Share
    seen: Any
    ready_s: float | None = None
    asked: Any = None
    told: tuple[float, str] = (0.0, "")


@dataclass(eq=False)
class _Attempt:
    """A stage that an actor has: the promise of its message, and when it was handed over."""

    task: Order
    actor: _Actor
    ref: Any
    handed_s: float

    def overdue(self, now_s: float) -> bool:
        """Whether it took longer than it may, from when its actor was ready on."""
        limit_s = self.task.node.resources.timeout_s
        begun_s = self.actor.ready_s
        return (
            limit_s is not None
            and begun_s is not None
            and now_s - max(begun_s, self.handed_s) > limit_s
        )


class ClusterExecutor:
    """Stages on the nodes of a Ray cluster.

    Args:
        store: which all nodes see in the same place.
        address: of the cluster's head; None starts a cluster on this machine.
        actors: how many at most; None for as many as there is room for.
        share: what a stage takes.
        tell: called with a sentence for the user.

    Raises:
        UserError: Ray is not installed, or there is no such cluster.
    """

    def __init__(
        self,
        store: Store,
        address: str | None,
        actors: int | None,
        share: Callable[[Node], Share],
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._ray = connected(address, actors)
        self._store, self._share, self._most, self._tell = store, share, actors, tell
        store.prepare()
        if store.is_folder:
            store.share()
        store.hold()
        self._expected = seen_here(store.place)
        self._build = self._ray.remote(Builder)
        self._actors: list[_Actor] = []
        self._attempts: dict[str, _Attempt] = {}
        self._waiting: deque[tuple[Share, Order]] = deque()
        self._locks: dict[str, BaseFileLock] = {}
        self._messages: deque[Message] = deque()
        self._room, self._room_s = Share(), -_CAPACITY_S
        self._asked_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._ray.shutdown()

    @property
    def slots(self) -> int:
        """Two for each actor that there is room for: one that runs and one that comes next."""
        count = max(1, int(self._capacity().cpus))
        return 2 * (count if self._most is None else min(count, self._most))

    def submit(self, made: Node) -> None:
        """Queue the node for the next actor of its share."""
        lock = self._store.take(made.key)
        if lock is None:
            self._messages.append(Busy(made.key))
            return
        self._locks[made.key] = lock
        share = self._share(made)
        if not self._capacity().gpus:
            share = replace(share, gpus=0.0)
        self._waiting.append((share, replace(order(made, self._store.place), is_held=True)))
        self._fill()

    def next_message(self, timeout_s: float) -> Message | None:
        """The next end of a stage, or the next report of a running one.

        Raises:
            UserError: the cluster is gone, or a node sees another store or runs other code.
        """
        until_s = time.monotonic() + timeout_s
        while not self._messages:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return None
            try:
                self._look(min(left_s, _POLL_S))
            except (ConnectionError, self._ray.exceptions.RaySystemError) as error:
                raise UserError(
                    f"The Ray cluster is gone ({one_line(words_of(error))}); give the same command "
                    "again once it is back; finished stages are kept."
                ) from error
        return self._messages.popleft()

    def stop(self) -> None:
        """Kill the actors, and remove what they had not finished."""
        for actor in list(self._actors):
            self._discard(actor)
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()
        self._attempts.clear()
        self._waiting.clear()
        self._messages.clear()
        with suppress(OSError):
            self._store.sweep()

    # Actors ---------------------------------------------------------------------------------------

    def _capacity(self) -> Share:
        """What the living nodes have, all together."""
        now_s = time.monotonic()
        if now_s - self._room_s >= _CAPACITY_S:
            with suppress(ConnectionError, self._ray.exceptions.RayError):
                has = self._ray.cluster_resources()
                self._room, self._room_s = Share(has.get("CPU", 0.0), has.get("GPU", 0.0)), now_s
        return self._room

    def _fill(self) -> None:
        """Hand the waiting stages to actors, oldest first; those of another share may overtake."""
        later: deque[tuple[Share, Order]] = deque()
        while self._waiting:
            share, task = self._waiting.popleft()
            actor = self._free(share)
            if actor is None:
                later.append((share, task))
                continue
            ref = actor.handle.build.remote(task)
            actor.told = (0.0, "")
            self._attempts[task.key] = _Attempt(task, actor, ref, time.monotonic())
        self._waiting = later

    def _free(self, share: Share) -> _Actor | None:
        """An actor without work that takes so much; a new one if there is room."""
        busy = {id(attempt.actor) for attempt in self._attempts.values()}
        idle = [actor for actor in self._actors if id(actor) not in busy]
        for actor in idle:
            if actor.share == share:
                return actor
        for other in [*idle, None]:
            if self._has_room(share):
                return self._start(share)
            if other is not None:
                self._discard(other)
        return None

    def _has_room(self, share: Share) -> bool:
        room = self._capacity()
        if self._most is not None and len(self._actors) >= self._most:
            return False
        return not self._actors or room.holds([*(one.share for one in self._actors), share])

    def _start(self, share: Share) -> _Actor:
        handle = self._build.options(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            max_concurrency=2,  # a stage, and the question how far it is
            max_restarts=0,
            max_task_retries=0,
        ).remote()
        actor = _Actor(handle, share, handle.see.remote(self._store.place))
        self._actors.append(actor)
        return actor

    def _recall(self) -> None:
        """Take stages back from actors that cannot come up, since a node is gone meanwhile.

        They would wait for room for ever, beside idle actors that could have built them.
        """
        room = self._capacity()
        for actor in reversed(self._actors[1:]):  # newest first; some cluster grows on demand
            if room.holds([one.share for one in self._actors]):
                return
            if actor.ready_s is None:
                for attempt in [one for one in self._attempts.values() if one.actor is actor]:
                    del self._attempts[attempt.task.key]
                    self._waiting.appendleft((actor.share, attempt.task))
                self._discard(actor)

    def _discard(self, actor: _Actor) -> None:
        with suppress(ValueError):
            self._actors.remove(actor)
        with suppress(Exception):  # one that is dead already, or of a cluster that is gone
            self._ray.kill(actor.handle)

    # Messages -------------------------------------------------------------------------------------

    def _look(self, wait_s: float) -> None:
        """Take what the actors have said, waiting for it if they are silent."""
        promises: dict[Any, Callable[[], None]] = {}
        for attempt in self._attempts.values():
            promises[attempt.ref] = _bound(self._end, attempt)
        for actor in self._actors:
            if actor.ready_s is None:
                promises[actor.seen] = _bound(self._meet, actor)
            if actor.asked is not None:
                promises[actor.asked] = _bound(self._hear, actor)
        if not promises:
            time.sleep(wait_s)
            return
        ready, _ = self._ray.wait(list(promises), num_returns=1, timeout=wait_s)
        if ready:  # and all else that is there by now
            ready, _ = self._ray.wait(list(promises), num_returns=len(promises), timeout=0)
        for ref in ready:
            promises[ref]()
        self._recall()
        now_s = time.monotonic()
        for attempt in list(self._attempts.values()):
            if attempt.overdue(now_s):
                limit_s = attempt.task.node.resources.timeout_s
                self._lose(attempt, Lost(attempt.task.key, "timeout", _longer(limit_s)))
        if now_s - self._asked_s >= _PROGRESS_S:
            self._asked_s = now_s
            for attempt in self._attempts.values():
                if attempt.actor.ready_s is not None and attempt.actor.asked is None:
                    attempt.actor.asked = attempt.actor.handle.progress.remote()
        self._fill()

    def _end(self, attempt: _Attempt) -> None:
        """Take a stage's message, or the news that its actor is dead."""
        if self._attempts.get(attempt.task.key) is not attempt:
            return
        try:
            message: Message = self._ray.get(attempt.ref)
        except self._ray.exceptions.RayError as error:
            told = one_line(words_of(error))[:300]
            self._lose(attempt, Lost(attempt.task.key, "died", f"its Ray actor is gone: {told}"))
            return
        self._settle(attempt, message)

    def _meet(self, actor: _Actor) -> None:
        """Check that an actor that has come up sees the same store and runs the same code."""
        try:
            seen: Seen = self._ray.get(actor.seen)
        except self._ray.exceptions.RayError:
            if all(attempt.actor is not actor for attempt in self._attempts.values()):
                self._discard(actor)
            actor.ready_s = time.monotonic()  # whoever waits for its stage learns of its end
            return
        actor.ready_s = time.monotonic()
        if seen.code != self._expected.code:
            raise UserError(
                f"The node {seen.host} of the Ray cluster has another version of overopt, or of a "
                "library that results depend on; install the same one on all nodes."
            )
        if self._store.is_folder and not seen.is_shared:
            raise UserError(
                f"The node {seen.host} of the Ray cluster does not see the store "
                f"{self._store.place}; give a folder that all nodes share in the same place, or "
                "one on an object store (s3://bucket/prefix)."
            )

    def _hear(self, actor: _Actor) -> None:
        asked, actor.asked = actor.asked, None
        with suppress(self._ray.exceptions.RayError):
            key, fraction, text = self._ray.get(asked)
            if key in self._attempts and actor.told != (fraction, text):
                actor.told = fraction, text
                self._messages.append(Advanced(key, fraction, text))

    def _lose(self, attempt: _Attempt, message: Lost) -> None:
        self._discard(attempt.actor)
        self._room_s = -_CAPACITY_S
        self._settle(attempt, message)

    def _settle(self, attempt: _Attempt, message: Message) -> None:
        del self._attempts[attempt.task.key]
        self._locks.pop(attempt.task.key).release()
        self._messages.append(message)
        self._fill()


def _bound(call: Callable[[Any], None], argument: Any) -> Callable[[], None]:
    return lambda: call(argument)


def _longer(limit_s: float | None) -> str:
    return f"it took longer than {limit_s:g} s"
