"""Drives cells to their end: builds exactly what they ask for, once, and tells them what came.

A cell is a generator: it yields lists of nodes, is sent their outcomes by key when all are
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
from overopt.execution.disk_errors import explained
from overopt.execution.local import Executor
from overopt.execution.messages import (
    Advanced,
    Built,
    Busy,
    Event,
    InputMissing,
    Lost,
    Raised,
    Refused,
)
from overopt.execution.node import Node
from overopt.execution.outcomes import (
    CellResult,
    Failure,
    FailureKind,
    Notice,
    NoticeKind,
    Outcome,
    Routine,
)
from overopt.execution.queue import Agenda
from overopt.execution.store import Store

RETRIES = 2
"""How often a stage is tried again after its worker died or ran out of time."""
_BUSY_POLL_S = 0.5
_WAIT_S = 1.0

T = TypeVar("T")


def execute(
    cells: Sequence[Routine[T]],
    store: Store,
    executor: Executor,
    on_event: Callable[[Notice], None] | None = None,
    estimate_s: Callable[[Node], float] | None = None,
) -> list[CellResult[T]]:
    """Drive all cells to their end.

    Args:
        cells: generators that yield nodes and return a value.
        store: where artifacts are.
        executor: what builds them, on the same store.
        on_event: is told of everything that happens, in this thread.
        estimate_s: expected wall time of a node in seconds; the longest chain of work starts
            first. One second each by default.

    Returns:
        One result per cell, in the order of the cells. A stage that fails is an outcome that the
        cells concerned are sent; the other cells go on.

    Raises:
        UserError: the store's disk refuses to go on; what was finished is kept.
        KeyboardInterrupt: with a sentence to show; what was finished is kept.
    """
    store.prepare()
    run = _Run(cells, store, executor, on_event or (lambda notice: None), estimate_s)
    try:
        return run.to_end()
    except KeyboardInterrupt:
        executor.stop()
        built = run.agenda.tally().built
        raise KeyboardInterrupt(
            f"Stopped; {built} finished stage{'s are' if built != 1 else ' is'} kept, "
            "and the same command continues from there."
        ) from None
    except BaseException:
        executor.stop()
        raise
    finally:
        store.close()


class _Run(Generic[T]):
    """The state of one ``execute``."""

    def __init__(
        self,
        cells: Sequence[Routine[T]],
        store: Store,
        executor: Executor,
        on_event: Callable[[Notice], None],
        estimate_s: Callable[[Node], float] | None,
    ) -> None:
        self.cells = cells
        self.store = store
        self.executor = executor
        self.on_event = on_event
        self.agenda = Agenda(estimate_s or (lambda made: 1.0))
        self.states = self.agenda.states
        self.requests: dict[int, list[str]] = {}
        self.open_keys: dict[int, set[str]] = {}
        self.waiters: dict[str, set[int]] = {}
        self.resumable: deque[int] = deque(range(len(cells)))
        self.results: dict[int, CellResult[T]] = {}
        self.elsewhere: set[str] = set()
        self.fresh: deque[str] = deque()

    def to_end(self) -> list[CellResult[T]]:
        """Turn events into progress until every cell has ended."""
        while len(self.results) < len(self.cells):
            while self.resumable:
                self._resume(self.resumable.popleft())
            self._submit()
            if len(self.results) == len(self.cells):
                break
            if not self.agenda.tally().running and not self.elsewhere:
                raise RuntimeError("cells wait for nodes that nobody builds")
            event = self.executor.next_event(self._patience_s())
            if event is not None:
                self._handle(event)
                self._wake()
            self._look_elsewhere()
        return [self.results[index] for index in range(len(self.cells))]

    # Cells --------------------------------------------------------------------------------------

    def _resume(self, index: int) -> None:
        """Send a cell the outcomes that it asked for, and take its next request."""
        cell = self.cells[index]
        try:
            if index in self.requests:
                asked = self.requests.pop(index)
                wanted = cell.send({key: self._outcome(key) for key in asked})
            else:
                wanted = next(cell)
        except StopIteration as ended:
            self.results[index] = CellResult(ended.value, None)
            return
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            self.results[index] = CellResult(
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
        assert outcome is not None, "a cell is resumed only when all that it asked for is settled"
        return outcome

    # Nodes --------------------------------------------------------------------------------------

    def _need(self, wanted: list[Node]) -> None:
        """Take nodes into the run, with those ancestors that must be built or looked at first."""
        added: list[str] = []
        stack = list(reversed(wanted))
        while stack:
            made = stack.pop()
            key = made.key
            if key in self.states:
                continue
            self.agenda.add(made)
            added.append(key)
            if self.store.consistent(key):
                path = self.store.open(key)
                if path is not None:
                    self._settle_cached(key, path)
                    continue
            self.agenda.count(None, "waiting")
            stack += self.agenda.require(key)
        self.agenda.lengthen(added)
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
            self.agenda.queue(key)

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
        self.agenda.count("waiting", None)
        self._settle_cached(key, self.store.folder(key))
        return True

    def _submit(self) -> None:
        while self.agenda.tally().running < self.executor.slots:
            key = self.agenda.next_queued()
            if key is None:
                return
            state = self.states[key]
            state.phase = "running"
            self.agenda.count("waiting", "running")
            self.executor.submit(state.node)
            self._tell("started", key)

    # Ends ---------------------------------------------------------------------------------------

    def _settle_cached(self, key: str, path: Path) -> None:
        self.states[key].cached = True
        self.agenda.count(None, "cached")
        self._settle(key, Outcome(path, None))
        self._tell("cached", key)

    def _settle(self, key: str, outcome: Outcome) -> None:
        """Record an outcome and wake the cells and nodes that waited for it."""
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
            for dependent in self.agenda.dependents(self.fresh.popleft()):
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
        self.agenda.count("running" if state.phase == "running" else "waiting", "failed")
        self._settle(key, Outcome(None, failure))
        self._tell("skipped" if kind == "upstream" else "failed", key, text=message)

    # Events -------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        state = self.states[event.key]
        if state.phase != "running":
            return  # the last words of a stage that has ended
        match event:
            case Advanced():
                self._tell("advanced", event.key, text=event.text, fraction=event.fraction)
            case Built():
                self._take_built(event)
            case Raised():
                self._fail(event.key, "raised", event.message, event.traceback, event.key)
            case Lost():
                self._retry(event)
            case Busy():
                state.phase = "elsewhere"
                state.retry_at_s = time.monotonic() + _BUSY_POLL_S
                self.elsewhere.add(event.key)
                self.agenda.count("running", "waiting")
                self._tell("elsewhere", event.key, text="another run is building it")
            case InputMissing():
                self._rebuild_input(event)
            case Refused():
                raise UserError(event.sentence)
            case _:
                raise TypeError(f"unknown event {event!r}")

    def _take_built(self, event: Built) -> None:
        path = self.store.open(event.key)
        if path is None:
            self._retry(Lost(event.key, "died", "its artifact was damaged at once"))
            return
        self.agenda.count("running", "cached" if event.reused else "built")
        self.states[event.key].cached = event.reused
        self._settle(event.key, Outcome(path, None))
        self._tell("cached" if event.reused else "built", event.key, wall_s=event.wall_s)

    def _retry(self, event: Lost) -> None:
        state = self.states[event.key]
        state.losses += 1
        with explained(self.store.root):
            self.store.sweep()
        if state.losses > RETRIES:
            tries = f"{event.message}, {state.losses} times"
            self._fail(event.key, event.kind, tries, "", event.key)
        else:
            self.agenda.count("running", "waiting")
            self.agenda.queue(event.key)
            self._tell("retried", event.key, text=event.message)

    def _rebuild_input(self, event: InputMissing) -> None:
        """An input was damaged after it was settled: make it again, then the node."""
        state = self.states[event.key]
        state.missing_inputs += 1
        if state.missing_inputs > RETRIES:
            self._fail(event.key, "died", "its input vanished again and again", "", event.key)
            return
        self.agenda.count("running", "waiting")
        state.phase = "waiting"
        given = self.states[event.input_key]
        if given.phase == "settled":
            del self.states[event.input_key]
            self.agenda.count("cached" if given.cached else "built", None)
            for index, asked in self.requests.items():
                if event.input_key in asked:
                    self.open_keys[index].add(event.input_key)
                    self.waiters.setdefault(event.input_key, set()).add(index)
            self._need([given.node])
        self._advance(event.key)

    def _look_elsewhere(self) -> None:
        """Take what another driver has finished meanwhile; try again what it gave up."""
        now_s = time.monotonic()
        for key in self.agenda.ordered(self.elsewhere):
            if self.states[key].retry_at_s <= now_s:
                self.elsewhere.discard(key)
                self.agenda.queue(key)

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
        self.on_event(
            Notice(kind, self.states[key].node, self.agenda.tally(), text, fraction, wall_s)
        )
