"""Who is at work in a store: locks, and a folder in ``tmp/`` for each process's unfinished work.

A process holds the lock of its folder for life, so that leftovers of dead processes can be told
from the work of living ones. In a store that several machines share, all locks are leases.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

from filelock import BaseFileLock

from overopt.errors import UserError
from overopt.execution.synced import write_synced
from overopt.execution.tenure.locks import LEASE_S, Leases, Locks, SystemLocks, is_lost

_SHARED = "shared.json"
_LONGEST_LEASE_S = 86_400.0


class Tenancy:
    """The processes that use the folder ``root``, and this one's place among them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._own: tuple[Path, BaseFileLock] | None = None

    # Locks ----------------------------------------------------------------------------------------

    @cached_property
    def locks(self) -> Locks:
        """The kind of locks that all users of this store hold.

        Raises:
            UserError: the store says that it is shared, and not how.
        """
        place = self.root / _SHARED
        try:
            lease_s = json.loads(place.read_bytes())["lease_s"]
        except FileNotFoundError:
            return SystemLocks()
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            lease_s = None
        if not isinstance(lease_s, float) or not 0 < lease_s < _LONGEST_LEASE_S:
            raise UserError(
                f"{place} is damaged: it must hold lease_s, the seconds of a lease, as in "
                f'{{"lease_s": {LEASE_S}}}. Restore it while nothing is at work in the store.'
            )
        return Leases(lease_s)

    def share(self, lease_s: float = LEASE_S) -> None:
        """Let processes of several machines use the store, from now on and for good.

        Raises:
            UserError: a run that does not know of it is at work in the store.
        """
        if isinstance(self.locks, Leases):
            return
        with self.alone():
            if not (self.root / _SHARED).exists():
                draft = self.root / "tmp" / f"{_SHARED}.{secrets.token_hex(4)}"
                write_synced(draft, {"lease_s": lease_s})
                draft.replace(self.root / _SHARED)
        del self.locks

    def take(self, key: str) -> BaseFileLock | None:
        """The key's lock, which the caller releases, or None where another process holds it."""
        path = self.root / "locks" / key[:2] / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return self.locks.take(path)

    @contextmanager
    def lock(self, key: str) -> Iterator[bool]:
        """Hold the key's lock, without waiting: yields False where another process holds it."""
        lock = self.take(key)
        try:
            yield lock is not None
        finally:
            if lock is not None:
                lock.release()

    # This process ---------------------------------------------------------------------------------

    def draft(self, name: str) -> Path:
        """A new empty folder in ``tmp/`` that is this process's own for as long as it lives."""
        self.hold()
        assert self._own is not None
        folder = self._own[0] / f"{name[:16]}-{secrets.token_hex(4)}"
        folder.mkdir()
        return folder

    def _enroll(self) -> tuple[Path, BaseFileLock]:
        """Make this process's folder in ``tmp/`` under a lock that ends with the process."""
        folder = self.root / "tmp" / f"{os.getpid()}-{secrets.token_hex(8)}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with self._sweeping():
            lock = self.locks.take(folder)
            assert lock is not None, "nobody else knows of it"
            try:
                folder.mkdir()
            except OSError:
                # held on, it would keep its file from the next sweep of this process
                lock.release()
                with suppress(OSError):
                    Path(lock.lock_file).unlink(missing_ok=True)
                raise
        return folder, lock

    @contextmanager
    def _sweeping(self) -> Iterator[None]:
        """Keep other processes from adding to ``tmp/``, and from removing what others left."""
        lock = self.locks.take(self.root / "tmp" / "sweep", wait_s=-1)
        assert lock is not None, "it was waited for"
        try:
            yield
        finally:
            lock.release()

    def hold(self) -> None:
        """Be seen as a user of the store, until ``close``, by whoever wants it ``alone``."""
        if self._own is not None and is_lost(self._own[1]):
            self.close()
        if self._own is None:
            self._own = self._enroll()

    @property
    def is_lost(self) -> bool:
        """Whether others took this process for dead, and removed what it had not finished."""
        return self._own is not None and is_lost(self._own[1])

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every run out of the store inside the block.

        Raises:
            UserError: a run is at work in it.
        """
        (self.root / "tmp").mkdir(parents=True, exist_ok=True)
        with self._sweeping():
            for path in (self.root / "tmp").glob(f"*-*{self.locks.suffix}"):
                lock = self.locks.take(path.with_suffix(""), self.locks.patience_s)
                if lock is None:
                    pid = path.name.partition("-")[0]
                    raise UserError(
                        f"A run (process {pid}) is at work in the store {self.root}; nothing was "
                        "removed. Repeat the command when it has ended."
                    )
                lock.release()
            yield

    def sweep(self) -> None:
        """Remove the folders in ``tmp/`` whose process has died; never a living one's."""
        with self._sweeping():
            suffix = self.locks.suffix
            for path in (self.root / "tmp").glob(f"*-*{suffix}"):
                if self._own is not None and path == Path(self._own[1].lock_file):
                    continue
                lock = self.locks.take(path.with_suffix(""))
                if lock is not None:
                    try:
                        shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                        path.unlink(missing_ok=True)
                    finally:  # held on, it would keep its file from this process's next sweep
                        lock.release()
            for path in (self.root / "tmp").glob("*-*"):
                # a lock is made before its folder; a disk may have failed to remove the folder
                if path.is_dir() and not path.with_suffix(suffix).exists():
                    shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """Give up this process's folder in ``tmp/``; the store stays usable."""
        if self._own is not None:
            folder, lock = self._own
            self._own = None
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
            with suppress(OSError):  # what stays is removed by the next command's sweep
                Path(lock.lock_file).unlink(missing_ok=True)
