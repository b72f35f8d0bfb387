"""What earlier stages cost and how much room is left: the ground of a plan's estimates."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from overopt.execution.artifact import Receipt

_FILE = "history.jsonl"


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


def free_bytes(root: Path) -> int:
    """How much room is left on the disk of a store, which need not exist yet."""
    place = next(path for path in (root, *root.parents) if path.exists())
    return shutil.disk_usage(place).free
