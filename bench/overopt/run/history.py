"""What earlier stages cost and how much a store holds: the ground of a plan's estimates."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from overopt.run.artifact import Receipt, tree_bytes

_FILE = "history.jsonl"


@dataclass(frozen=True)
class StoreSize:
    """How much a store holds: artifacts, their bytes, quarantined bytes, and free disk space."""

    artifacts: int
    artifact_bytes: int
    quarantine_bytes: int
    free_bytes: int


def append_history(root: Path, key: str, receipt: Receipt) -> None:
    """Add one line for a built artifact; only estimates read it, so that a lost line is no harm."""
    line = json.dumps({"key": key, **asdict(receipt)}, sort_keys=True) + "\n"
    with suppress(OSError):
        descriptor = os.open(root / _FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def read_history(root: Path) -> list[Receipt]:
    """What the stages built in this store cost, oldest first; unreadable lines are left out."""
    try:
        lines = (root / _FILE).read_bytes().splitlines()
    except OSError:
        return []
    receipts: list[Receipt] = []
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):
            record = json.loads(line)
            del record["key"]
            receipts.append(Receipt(**record))
    return receipts


def measure_store(root: Path) -> StoreSize:
    """How much a store holds and how much room is left, in bytes; reads no file's content."""
    folders = [folder for folder in root.glob("??/*") if folder.is_dir()]
    place = next(path for path in (root, *root.parents) if path.exists())
    return StoreSize(
        artifacts=len(folders),
        artifact_bytes=tree_bytes(folders),
        quarantine_bytes=tree_bytes([root / "quarantine"]),
        free_bytes=shutil.disk_usage(place).free,
    )
