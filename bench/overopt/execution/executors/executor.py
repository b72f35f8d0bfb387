"""What an executor is: it runs stages, and the scheduler decides which.

The interface is small so that a cluster can stand behind it: submit a node whose inputs are in the
store, take the next message, stop. Keys are passed, never tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from overopt.execution.messages import Message
from overopt.execution.node import Node
from overopt.execution.store import Store


class Executor(Protocol):
    """What the scheduler needs of an executor; messages come in any order."""

    @property
    def slots(self) -> int:
        """How many stages can run at once; the scheduler submits no more."""

    def submit(self, made: Node) -> None:
        """Start a node whose inputs are in the store."""

    def next_message(self, timeout_s: float) -> Message | None:
        """The next message, or None when none came in time."""

    def stop(self) -> None:
        """End all that runs, now; what was finished stays. May be called twice."""


class Opening(Protocol):
    """Opens an executor on a store; ``tell`` is called with sentences for the user."""

    def __call__(
        self, store: Store, tell: Callable[[str], None]
    ) -> AbstractContextManager[Executor]:
        """Open it; the context closes it."""
