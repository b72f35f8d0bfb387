"""The driver's side of workers on a shared folder: lays orders out, and reads the answers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from overopt.errors import UserError
from overopt.execution.disk_errors import disk_errors_explained
from overopt.execution.executors.board import Desk, Unreadable
from overopt.execution.messages import Advanced, Lost, Message
from overopt.execution.node import Node
from overopt.execution.store import Store
from overopt.execution.worker import order

ORDERS = 256
"""Orders that lie out at once, whether or not a worker has taken them."""
_FIRST_POLL_S, _LAST_POLL_S = 0.02, 0.5
_WATCH_S = 0.5
_NOTES_S = 3.0
_LONELY_S = 20.0


@dataclass
class _Attempt:
    """An order that lies out; note: what was last told of it."""

    key: str
    note: tuple[float, str] = (0.0, "")


class SharedExecutor:
    """Publishes stages for whoever runs ``bench worker`` on the same store.

    Args:
        store: on a folder that the workers see as well; it is ``shared`` from now on.
        tell: called with a sentence for the user, such as that no worker has come.

    Raises:
        UserError: the store is in a bucket, or a local run is at work in it.
    """

    def __init__(self, store: Store, tell: Callable[[str], None] = lambda text: None) -> None:
        if not store.is_folder:
            raise UserError(
                "--executor workers needs a store in a folder that all machines share, not "
                f"{store.place}; give one with --store, or use --executor ray."
            )
        self._store = store
        self._tell = tell
        store.prepare()
        store.share()
        self._desk, self._lock = Desk.opened(store)
        self._attempts: dict[str, _Attempt] = {}
        self._messages: deque[Message] = deque()
        self._numbered = 0
        self._watched_s = self._noted_s = time.monotonic()
        self._heard_s = time.monotonic()
        self._told: set[str] = set()
        self._poll_s = _FIRST_POLL_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._desk.close(self._lock)

    @property
    def slots(self) -> int:
        """How many orders lie out at once."""
        return ORDERS

    def submit(self, made: Node) -> None:
        """Lay the node out for the workers."""
        self._numbered += 1
        with disk_errors_explained(self._store.root):
            name = self._desk.lay_out(self._numbered, order(made, self._store.place))
        self._attempts[name] = _Attempt(made.key)

    def next_message(self, timeout_s: float) -> Message | None:
        """The next answer, loss or note."""
        until_s = time.monotonic() + timeout_s
        while True:
            if not self._messages:
                with disk_errors_explained(self._store.root):
                    self._look()
            if self._messages:
                self._poll_s = _FIRST_POLL_S
                return self._messages.popleft()
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return None
            time.sleep(min(self._poll_s, left_s))
            self._poll_s = min(1.5 * self._poll_s, _LAST_POLL_S)

    def stop(self) -> None:
        """Withdraw all orders; workers drop those that they are at."""
        for name in self._attempts:
            self._desk.clear(name)
        self._attempts.clear()
        self._messages.clear()

    def _look(self) -> None:
        """Read the answers; now and then also look for dead workers and for notes."""
        for name in self._desk.names("ended"):
            self._take(name)
        now_s = time.monotonic()
        if now_s - self._watched_s >= _WATCH_S:
            self._watched_s = now_s
            taken = [name for name in self._desk.names("taken") if name in self._attempts]
            for name in taken:
                self._watch(name)
            if now_s - self._noted_s >= _NOTES_S:
                self._noted_s = now_s
                for name in taken:
                    self._read_note(name)
            self._mind(bool(taken))

    def _take(self, name: str) -> None:
        """Take the answer to an attempt, which is then over; one that was given up is dropped."""
        attempt = self._attempts.pop(name, None)
        if attempt is not None:
            try:
                message = self._desk.answer(name)
            except Unreadable as error:
                message = Lost(attempt.key, "died", f"its worker's answer cannot be read: {error}")
            if message is not None:
                self._messages.append(message)
        self._desk.clear(name)

    def _watch(self, name: str) -> None:
        """Give an attempt up whose worker has let go of the lease without an answer."""
        attempt = self._attempts.get(name)
        lock = self._store.take(attempt.key) if attempt else None
        if attempt is None or lock is None:
            return
        try:
            if self._desk.is_wanted(name) and name not in self._desk.names("ended"):
                del self._attempts[name]
                self._desk.clear(name)
                self._messages.append(Lost(attempt.key, "died", "its worker is gone"))
        finally:
            lock.release()

    def _read_note(self, name: str) -> None:
        attempt, note = self._attempts.get(name), self._desk.note(name)
        if attempt is not None and note is not None and attempt.note != (note.fraction, note.text):
            attempt.note = note.fraction, note.text
            self._messages.append(Advanced(attempt.key, note.fraction, note.text))

    def _mind(self, busy: bool) -> None:
        """Tell the user, once each, why nothing goes on."""
        for why in self._desk.refusals():
            self._say(why)
        if busy or not self._attempts or self._messages:
            self._heard_s = time.monotonic()
        elif time.monotonic() - self._heard_s > _LONELY_S:
            self._say(
                f"No worker has taken a stage for {_LONELY_S:g} s; start some with: bench worker "
                f"--store {self._store.root}"
            )

    def _say(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)
