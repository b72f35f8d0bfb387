"""Leases of holders that were killed before they had written who they are."""

from __future__ import annotations

import os
from pathlib import Path

from overopt.execution.tenure.locks import Leases

LEASE_S = 0.4


def test_an_empty_lease_is_taken_once_its_time_is_over(tmp_path: Path) -> None:
    (tmp_path / "key.lease").touch()
    leases = Leases(LEASE_S)
    assert leases.take(tmp_path / "key") is None
    lease = leases.take(tmp_path / "key", wait_s=-1)
    assert lease is not None
    assert lease.is_locked
    assert (tmp_path / "key.lease").read_bytes()
    assert Leases(LEASE_S).take(tmp_path / "key") is None, "it is held as any other"
    lease.release()


def test_patience_covers_an_empty_lease(tmp_path: Path) -> None:
    (tmp_path / "key.lease").touch()
    leases = Leases(LEASE_S)
    lease = leases.take(tmp_path / "key", leases.patience_s)
    assert lease is not None
    lease.release()


def test_whoever_writes_late_keeps_the_lease_that_nobody_took(tmp_path: Path) -> None:
    """The record overwrites what a waiting process has put there to spoil it."""
    living = Leases(LEASE_S).take(tmp_path / "living")
    assert living is not None
    record = (tmp_path / "living.lease").read_bytes()
    descriptor = os.open(tmp_path / "key.lease", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    leases = Leases(LEASE_S)
    assert leases.take(tmp_path / "key", 2 * LEASE_S) is None
    assert (tmp_path / "key.lease").read_bytes() == b"?"
    os.write(descriptor, record)
    os.close(descriptor)
    assert leases.take(tmp_path / "key") is None
    assert (tmp_path / "key.lease").read_bytes() == record
    living.release()


def test_a_new_lease_in_the_place_of_an_empty_one_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "key.lease").touch()
    waiting = Leases(LEASE_S)
    assert waiting.take(tmp_path / "key") is None
    (tmp_path / "key.lease").unlink()
    living = Leases(LEASE_S).take(tmp_path / "key")
    assert living is not None
    assert waiting.take(tmp_path / "key", 3 * LEASE_S) is None
    assert b"?" not in (tmp_path / "key.lease").read_bytes()
    living.release()
