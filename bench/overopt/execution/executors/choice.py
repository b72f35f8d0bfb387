"""Which executor a run uses, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from overopt.errors import UserError
from overopt.execution.executors.executor import Executor
from overopt.execution.executors.local import ProcessExecutor
from overopt.execution.executors.share import ONE_CORE, Share
from overopt.execution.executors.shared import SharedExecutor
from overopt.execution.node import Node
from overopt.execution.store import Store

Kind = Literal["local", "workers", "ray"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Opening(Protocol):
    """Opens an executor on a store; ``tell`` is called with sentences for the user."""

    def __call__(
        self, store: Store, tell: Callable[[str], None]
    ) -> AbstractContextManager[Executor]:
        """Open it; the context closes it."""


@dataclass(frozen=True)
class Local:
    """Worker processes on this machine."""

    workers: int

    def __call__(
        self, store: Store, tell: Callable[[str], None]
    ) -> AbstractContextManager[Executor]:
        """See ``Opening``."""
        return ProcessExecutor(store, self.workers)


@dataclass(frozen=True)
class Shared:
    """Workers that others have started on the same folder."""

    def __call__(
        self, store: Store, tell: Callable[[str], None]
    ) -> AbstractContextManager[Executor]:
        """See ``Opening``."""
        if not store.is_folder:
            raise UserError(
                f"--executor workers needs a store in a folder that all machines share, not "
                f"{store.place}; give one with --store, or use --executor ray."
            )
        return SharedExecutor(store, tell)


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster.

    address: of its head; None starts one on this machine. actors: how many at most; None for as
    many as it has room for. share: what one stage takes.
    """

    address: str | None
    actors: int | None
    share: Callable[[Node], Share] = lambda made: ONE_CORE

    def __call__(
        self, store: Store, tell: Callable[[str], None]
    ) -> AbstractContextManager[Executor]:
        """See ``Opening``."""
        from overopt.execution.executors.cluster import ClusterExecutor

        return ClusterExecutor(store, self.address, self.actors, self.share, tell)
