"""Drives routines to their end: builds exactly what they ask for, once, and sends the outcomes.

A routine is a generator: it yields lists of nodes, is sent their outcomes by key when all are
settled, and returns its value. So a fixed graph yields once, and a search yields again and again.
A node is built only if it, or something that needs it, is missing; a finished stage never runs
again. What is built does not depend on how many workers build it, nor on their order.
"""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Generic, TypeVar

from overopt.errors import UserError
from overopt.execution.artifact import InputEntry
from overopt.execution.disk_errors import disk_errors_explained
from overopt.execution.executors.executor import Executor
from overopt.execution.messages import (
    Advanced,
    Built,
    Busy,
    InputMissing,
    Lost,
    Message,
    Raised,
    Refused,
)
from overopt.execution.node import Node, uncollected
from overopt.execution.outcomes import (
    Failure,
    FailureKind,
    Notice,
    NoticeKind,
    Outcome,
    Routine,
    RoutineResult,
    Tally,
)
from overopt.execution.queue import Queue
from overopt.execution.store import Store

RETRIES = 2
"""How often a stage is tried again after its worker died or ran out of time."""
_BUSY_POLL_S = 0.5
_WAIT_S = 1.0

T = TypeVar("T")


def execute(
    routines: Sequence[Routine[T]],
    store: Store,
    executor: Executor,
    on_notice: Callable[[Notice], None] | None = None,
    estimate_s: Callable[[Node], float] | None = None,
) -> list[RoutineResult[T]]:
    """Drive all routines to their end.

    Args:
        routines: generators that yield nodes and return a value.
        store: where artifacts are.
        executor: what builds them, on the same store.
        on_notice: called with everything that happens, in this thread.
        estimate_s: expected wall time of a node in seconds; the longest chain of work starts
            first. One second each by default.

    Returns:
        One result per routine, in their order. A stage that fails is an outcome that the routines
        concerned are sent; the others go on.

    Raises:
        UserError: the store's disk refuses to go on; what was finished is kept.
        KeyboardInterrupt: with a sentence to show; what was finished is kept.
    """
    store.prepare()
    store.hold()
    run = _Run(routines, store, executor, on_notice or (lambda notice: None), estimate_s)
    try:
        return run.to_end()
    except KeyboardInterrupt:
        executor.stop()
        raise KeyboardInterrupt(_tell_kept(run.queue.tally())) from None
    except BaseException:
        executor.stop()
        raise
    finally:
        store.close()


def _tell_kept(tally: Tally) -> str:
    done = tally.cached + tally.built
    total = done + tally.failed + tally.running + tally.waiting
    return (
        f"Stopped: {done} of {total} stage{'s are' if total != 1 else ' is'} done and kept, and "
        "the same command continues from there."
    )


class _Run(Generic[T]):
    """The state of one ``execute``."""

    def __init__(
        self,
        routines: Sequence[Routine[T]],
        store: Store,
        executor: Executor,
        on_notice: Callable[[Notice], None],
        estimate_s: Callable[[Node], float] | None,
    ) -> None:
        self.routines = routines
        self.store = store
        self.executor = executor
        self.on_notice = on_notice
        self.queue = Queue(estimate_s or (lambda made: 1.0))
        self.states = self.queue.states
        self.requests: dict[int, list[str]] = {}
        self.open_keys: dict[int, set[str]] = {}
        self.waiters: dict[str, set[int]] = {}
        self.resumable: deque[int] = deque(range(len(routines)))
        self.results: dict[int, RoutineResult[T]] = {}
        self.elsewhere: set[str] = set()
        self.fresh: deque[str] = deque()
        self.known: dict[str, bool] = {}  # of what was looked at a moment ago
        self.left_s, self.left_until_s = 0.0, -1.0

    def to_end(self) -> list[RoutineResult[T]]:
        """Turn messages into progress until every routine has ended."""
        with uncollected():  # most nodes of a run are made here, and kept to its end
            self._resume_all()
        while len(self.results) < len(self.routines):
            self._resume_all()
            self._submit()
            if len(self.results) == len(self.routines):
                break
            if not self.queue.tally().running and not self.elsewhere:
                raise RuntimeError("routines wait for nodes that nobody builds")
            if message := self.executor.next_message(self._patience_s()):
                self._handle(message)
                self._wake()
            self._look_elsewhere()
        return [self.results[index] for index in range(len(self.routines))]

    # Routines -------------------------------------------------------------------------------------

    def _resume_all(self) -> None:
        self.known.clear()
        while self.resumable:
            self._resume(self.resumable.popleft())

    def _resume(self, index: int) -> None:
        """Send a routine the outcomes that it asked for, and take its next request."""
        routine = self.routines[index]
        try:
            if index in self.requests:
                asked = self.requests.pop(index)
                wanted = routine.send({key: self._outcome(key) for key in asked})
            else:
                wanted = next(routine)
        except StopIteration as ended:
            self.results[index] = RoutineResult(ended.value, None)
            return
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            self.results[index] = RoutineResult(
                None, str(error) if isinstance(error, UserError) else text
            )
            return
        self.requests[index] = [made.key for made in wanted]
        self._need(list(wanted))
        self.open_keys[index] = {
            key for key in self.requests[index] if self.states[key].phase != "settled"
        }
        for key in self.open_keys[index]:
            self.waiters.setdefault(key, set()).add(index)
        if not self.open_keys[index]:
            self.resumable.append(index)

    def _outcome(self, key: str) -> Outcome:
        outcome = self.states[key].outcome
        assert outcome is not None, "a routine goes on only when all that it asked for is settled"
        return outcome

    # Nodes ----------------------------------------------------------------------------------------

    def _need(self, wanted: list[Node]) -> None:
        """Take nodes into the run, with those ancestors that must be built or looked at first."""
        added: list[str] = []
        stack = list(reversed(wanted))
        while stack:
            made = stack.pop()
            key = made.key
            if key in self.states:
                continue
            self.queue.add(made)
            added.append(key)
            if self.store.consistent(key, self.known):
                path = self.store.open(key)
                if path is not None:
                    self._settle_cached(key, path)
                    continue
            self.queue.count(None, "waiting")
            stack += self.queue.require(key)
        self.queue.lengthen(added)
        for key in reversed(added):
            self._advance(key)
        self._wake()

    def _advance(self, key: str) -> None:
        """Queue a waiting node once its inputs are there; give it up once one of them failed."""
        state = self.states[key]
        if state.phase != "waiting":
            return
        inputs = [self.states[given.key] for _, given in state.node.inputs]
        failed = [s.outcome.failure for s in inputs if s.outcome and s.outcome.failure]
        if failed:
            cause = failed[0]
            what = f"{cause.title}: {cause.message}" if cause.kind != "upstream" else cause.message
            self._fail(key, "upstream", what, "", cause.cause_key)
        elif all(s.phase == "settled" for s in inputs) and not self._still_good(key):
            self.queue.enqueue(key)

    def _still_good(self, key: str) -> bool:
        """Settle a node whose rebuilt inputs have the bytes that its artifact was made from."""
        used: dict[str, InputEntry] = {}
        for role, given in self.states[key].node.inputs:
            digest = self.store.digest(given.key)
            if digest is None:
                return False
            used[role] = InputEntry(given.key, digest)
        if not self.store.made_from(key, used):
            return False
        self.queue.count("waiting", None)
        self._settle_cached(key, self.store.folder(key))
        return True

    def _submit(self) -> None:
        while self.queue.tally().running < self.executor.slots:
            key = self.queue.pop()
            if key is None:
                return
            state = self.states[key]
            state.phase = "running"
            self.queue.count("waiting", "running")
            self.executor.submit(state.node)
            self._tell("started", key)

    # Ends -----------------------------------------------------------------------------------------

    def _settle_cached(self, key: str, path: Path) -> None:
        self.states[key].cached = True
        self.queue.count(None, "cached")
        self._settle(key, Outcome(path, None))
        self._tell("cached", key)

    def _settle(self, key: str, outcome: Outcome) -> None:
        """Record an outcome and wake the routines and nodes that waited for it."""
        state = self.states[key]
        state.phase, state.outcome = "settled", outcome
        self.fresh.append(key)
        for index in sorted(self.waiters.pop(key, set())):
            self.open_keys[index].discard(key)
            if not self.open_keys[index]:
                self.resumable.append(index)

    def _wake(self) -> None:
        """Let the nodes go on whose inputs were settled since the last call."""
        while self.fresh:
            for dependent in self.queue.dependents(self.fresh.popleft()):
                self._advance(dependent)

    def _fail(
        self,
        key: str,
        kind: FailureKind,
        message: str,
        trace: str,
        cause_key: str,
    ) -> None:
        state = self.states[key]
        failure = Failure(key, state.node.stage, state.node.title, kind, message, trace, cause_key)
        if kind != "upstream":
            self.store.record_failure(
                key,
                {
                    **asdict(failure),
                    "params": dict(state.node.params),
                    "losses": state.losses,
                    "time_unix_s": time.time(),
                },
            )
        self.queue.count("running" if state.phase == "running" else "waiting", "failed")
        self._settle(key, Outcome(None, failure))
        self._tell("skipped" if kind == "upstream" else "failed", key, text=message)

    # Messages -------------------------------------------------------------------------------------

    def _handle(self, message: Message) -> None:
        state = self.states[message.key]
        if state.phase != "running":
            return  # the last words of a stage that has ended
        match message:
            case Advanced():
                self._tell("advanced", message.key, text=message.text, fraction=message.fraction)
            case Built():
                self._take_built(message)
            case Raised():
                self._fail(message.key, "raised", message.reason, message.traceback, message.key)
            case Lost():
                self._retry(message)
            case Busy():
                state.phase = "elsewhere"
                state.retry_at_s = time.monotonic() + _BUSY_POLL_S
                self.elsewhere.add(message.key)
                self.queue.count("running", "waiting")
                self._tell("elsewhere", message.key, text="another run is building it")
            case InputMissing():
                self._rebuild_input(message)
            case Refused():
                raise UserError(message.sentence)
            case _:
                raise TypeError(f"unknown message {message!r}")

    def _take_built(self, message: Built) -> None:
        path = self.store.open(message.key)
        if path is None:
            self._retry(Lost(message.key, "died", "its artifact was damaged at once"))
            return
        self.queue.count("running", "cached" if message.reused else "built")
        if not message.reused:
            self.queue.learn(message.key, message.wall_s)
        self.states[message.key].cached = message.reused
        self._settle(message.key, Outcome(path, None))
        self._tell("cached" if message.reused else "built", message.key, wall_s=message.wall_s)

    def _retry(self, message: Lost) -> None:
        state = self.states[message.key]
        state.losses += 1
        with disk_errors_explained(self.store.root):
            self.store.sweep()
        if state.losses > RETRIES:
            tries = f"{message.reason}, {state.losses} times"
            self._fail(message.key, message.kind, tries, "", message.key)
        else:
            self.queue.count("running", "waiting")
            self.queue.enqueue(message.key)
            self._tell("retried", message.key, text=message.reason)

    def _rebuild_input(self, message: InputMissing) -> None:
        """An input was damaged after it was settled: make it again, then the node."""
        state = self.states[message.key]
        state.missing_inputs += 1
        if state.missing_inputs > RETRIES:
            self._fail(message.key, "died", "its input vanished again and again", "", message.key)
            return
        self.queue.count("running", "waiting")
        state.phase = "waiting"
        given = self.states[message.input_key]
        self.known.clear()
        if given.phase == "settled":
            del self.states[message.input_key]
            self.queue.count("cached" if given.cached else "built", None)
            for index, asked in self.requests.items():
                if message.input_key in asked:
                    self.open_keys[index].add(message.input_key)
                    self.waiters.setdefault(message.input_key, set()).add(index)
            self._need([given.node])
        self._advance(message.key)

    def _look_elsewhere(self) -> None:
        """Take what another driver has finished meanwhile; try again what it gave up."""
        now_s = time.monotonic()
        for key in self.queue.ordered(self.elsewhere):
            if self.states[key].retry_at_s <= now_s:
                self.elsewhere.discard(key)
                self.queue.enqueue(key)

    def _patience_s(self) -> float:
        return _BUSY_POLL_S if self.elsewhere else _WAIT_S

    def _tell(
        self,
        kind: NoticeKind,
        key: str,
        text: str = "",
        fraction: float = 0.0,
        wall_s: float = 0.0,
    ) -> None:
        now_s = time.monotonic()
        if now_s >= self.left_until_s:  # it takes a look at every node
            self.left_s = self.queue.left_s()
            self.left_until_s = now_s + max(_WAIT_S, 100 * (time.monotonic() - now_s))
        tally = self.queue.tally()
        self.on_notice(
            Notice(kind, self.states[key].node, tally, text, fraction, wall_s, self.left_s)
        )
