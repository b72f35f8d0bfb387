"""What a run knows of its nodes, and which of those that could start now should be next.

The node at the foot of the longest chain of estimated work goes first, so that the last worker is
not left alone with it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from overopt.execution.node import Node
from overopt.execution.outcomes import Outcome, Tally

Count = Literal["cached", "built", "failed", "running", "waiting"]


@dataclass
class State:
    """A node that is needed, and how far it is."""

    node: Node
    order: int
    own_s: float
    phase: Literal["waiting", "queued", "running", "elsewhere", "settled"] = "waiting"
    outcome: Outcome | None = None
    cached: bool = False
    losses: int = 0
    missing_inputs: int = 0
    retry_at_s: float = 0.0


class Queue:
    """The nodes of one run by key.

    Args:
        estimate_s: expected wall time of a node in seconds.
    """

    def __init__(self, estimate_s: Callable[[Node], float]) -> None:
        self.states: dict[str, State] = {}
        self._estimate_s = estimate_s
        self._dependents: dict[str, set[str]] = {}
        self._remaining_s: dict[str, float] = {}
        self._paid_s = self._foreseen_s = 0.0
        self._ready: list[tuple[float, int, str]] = []
        self._counts: dict[Count, int] = dict.fromkeys(
            ("cached", "built", "failed", "running", "waiting"), 0
        )

    # Nodes ----------------------------------------------------------------------------------------

    def add(self, made: Node) -> State:
        """Take in a node that is not there; nothing is known of it yet."""
        state = State(made, len(self.states), self._estimate_s(made))
        self.states[made.key] = state
        return state

    def require(self, key: str) -> tuple[Node, ...]:
        """Let a node wait for its inputs, which are returned."""
        inputs = tuple(given for _, given in self.states[key].node.inputs)
        for given in inputs:
            self._dependents.setdefault(given.key, set()).add(key)
        return inputs

    def dependents(self, key: str) -> list[str]:
        """Nodes that wait for this one, in the order in which they were added."""
        return self.ordered(self._dependents.get(key, ()))

    def ordered(self, keys: Iterable[str]) -> list[str]:
        """Keys in the order in which their nodes were added."""
        return sorted(keys, key=lambda key: self.states[key].order)

    def lengthen(self, added: Sequence[str]) -> None:
        """Longest estimated work from a node to the end of what is known to need it, in seconds.

        New nodes lengthen the chains of the nodes that they need, so that both are updated.
        """
        changed = deque(added)
        for key in added:
            self._remaining_s.setdefault(key, self.states[key].own_s)
        while changed:
            key = changed.popleft()
            state = self.states[key]
            if state.phase == "settled":
                continue
            for _, given in state.node.inputs:
                upstream = self.states.get(given.key)
                if upstream is None or upstream.phase == "settled":
                    continue
                chain_s = upstream.own_s + self._remaining_s[key]
                if chain_s > self._remaining_s.get(given.key, 0.0):
                    self._remaining_s[given.key] = chain_s
                    changed.append(given.key)
                    if upstream.phase == "queued":
                        self._push(given.key)

    # Those that could start now -------------------------------------------------------------------

    def enqueue(self, key: str) -> None:
        """Let a node start as soon as a worker is free."""
        self.states[key].phase = "queued"
        self._push(key)

    def pop(self) -> str | None:
        """Take the queued node that should start first; None where there is none."""
        while self._ready:
            _, _, key = heapq.heappop(self._ready)
            if self.states[key].phase == "queued":
                return key  # and not an older entry of a node whose chain has grown since
        return None

    def _push(self, key: str) -> None:
        heapq.heappush(self._ready, (-self._remaining_s[key], self.states[key].order, key))

    # Counts ---------------------------------------------------------------------------------------

    def count(self, before: Count | None, after: Count | None) -> None:
        """Move one node from a count to another; None where it was, or will be, in none."""
        if before is not None:
            self._counts[before] -= 1
        if after is not None:
            self._counts[after] += 1

    def learn(self, key: str, wall_s: float) -> None:
        """Take in what a node has cost, against what was expected of it."""
        self._paid_s += wall_s
        self._foreseen_s += self.states[key].own_s

    def left_s(self) -> float:
        """Work of the nodes that are known and not settled, seconds on one worker.

        Estimates are scaled by what the nodes built so far have cost against theirs.
        """
        pace = self._paid_s / self._foreseen_s if self._foreseen_s else 1.0
        return pace * sum(one.own_s for one in self.states.values() if one.phase != "settled")

    def tally(self) -> Tally:
        """Counts of nodes by state."""
        return Tally(**self._counts)
