"""Locks between processes: the system's own on one machine, leases on a folder of several.

The system's locks end with their process, but not every network file system passes them on. A
lease is a file that its holder touches again and again. Whoever wants it waits until it has seen no
touch for the time that all agree on, by a clock of its own that nobody sets; so a wrong clock, here
or there, ends no living lease. A holder on the same machine that has died is seen at once. One that
was killed between making the file and writing its name leaves it empty. The library of locks takes
that for a holder of an old version, which none of ours can be, and would keep it for ever.
"""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from filelock import BaseFileLock, FileLock, SoftFileLease, Timeout

LEASE_S = 30.0
"""Seconds without a touch after which a lease may be taken from its holder."""
_TORN_S = 3.0
"""What the library of locks waits before it takes a file over that it cannot read, and a bit."""


class Locks(Protocol):
    """One of the two kinds.

    suffix: of a lock's file. patience_s: what waiting for a dead holder's lock may take.
    """

    suffix: str
    patience_s: float

    def take(self, path: Path, wait_s: float = 0.0) -> BaseFileLock | None:
        """A lock that is now held, or None where another process holds it.

        Args:
            path: of its file, without the suffix; the folder exists.
            wait_s: how long to wait for it; -1 for as long as it takes.
        """


class SystemLocks:
    """Locks of the system, for processes of one machine."""

    suffix = ".lock"
    patience_s = 0.0

    def take(self, path: Path, wait_s: float = 0.0) -> BaseFileLock | None:
        """See ``Locks``."""
        lock = FileLock(_named(path, self.suffix), thread_local=False)
        return lock if _acquired(lock, wait_s) else None


class Leases:
    """Leases, for processes that share a folder.

    Args:
        lease_s: seconds without a touch after which one may be taken; equal for all.
    """

    suffix = ".lease"

    def __init__(self, lease_s: float = LEASE_S) -> None:
        self.patience_s = 1.5 * lease_s + _TORN_S
        self._lease_s = lease_s
        self._watched: dict[Path, SoftFileLease] = {}
        self._empty: dict[Path, tuple[tuple[int, int], float]] = {}

    def take(self, path: Path, wait_s: float = 0.0) -> BaseFileLock | None:
        """See ``Locks``; a lease that was refused is watched from then on."""
        lease = self._watched.pop(path, None) or SoftFileLease(
            _named(path, self.suffix), lease_duration=self._lease_s, thread_local=False
        )
        until_s = math.inf if wait_s < 0 else time.monotonic() + wait_s
        left_s = until_s - time.monotonic()
        while not _acquired(lease, max(0.0, min(left_s, self._lease_s / 2))):
            self._look_at_empty(path)
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                self._watched[path] = lease
                return None
        self._empty.pop(path, None)
        return lease

    def _look_at_empty(self, path: Path) -> None:
        """Spoil a lease's file that has been empty for the time of a lease, so that it is taken.

        Whatever lies in the file, the library takes a spoiled one over safely. Nothing is removed
        here, since another process may have put a living lease in its place meanwhile.
        """
        with suppress(OSError):
            descriptor = os.open(_named(path, self.suffix), os.O_WRONLY | os.O_APPEND)
            try:
                file = os.fstat(descriptor)
                key = file.st_ino, file.st_ctime_ns
                known, since_s = self._empty.get(path, (key, time.monotonic()))
                if file.st_size > 0 or known != key:
                    self._empty.pop(path, None)
                elif time.monotonic() - since_s >= self._lease_s:
                    os.write(descriptor, b"?")
                else:
                    self._empty[path] = key, since_s
            finally:
                os.close(descriptor)


def is_lost(lock: BaseFileLock) -> bool:
    """Whether a lock that was taken has been taken by another process since."""
    return isinstance(lock, SoftFileLease) and lock.compromise is not None


def _named(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _acquired(lock: BaseFileLock, wait_s: float) -> bool:
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        return False
    return True
