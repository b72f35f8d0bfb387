"""What stages have cost in a store, and what they are expected to cost next time.

Expected costs are medians (of memory the largest) of what the same stage has cost in this store
for work of the same kind. They order the queue and fill plans; no result depends on them.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_FILE = "costs.jsonl"
_READ_BYTES = 1 << 25
_MOST = 1e18
"""Seconds or bytes of one stage."""


@dataclass(frozen=True)
class Receipt:
    """What the work cost and where it ran; not part of an artifact's digest.

    Attributes:
        wall_s: seconds from start to end.
        cpu_s: processor seconds of the worker.
        peak_memory_bytes: largest resident memory while it ran.
        size_bytes: bytes of the artifact's files.
        pid: process.
        host: machine's name.
        finished_unix_s: when it ended, seconds since 1970.
        versions: library -> version.
        kind: what else is expected to cost the same.
        extra_code: modules and files that the stage loaded by name; None where an earlier version
            did not record them.
    """

    stage: str
    label: str
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    size_bytes: int
    pid: int
    host: str
    finished_unix_s: float
    versions: Mapping[str, str]
    kind: str = ""
    extra_code: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Cost:
    """What one stage is expected to cost: seconds on one worker, bytes on disk and in memory."""

    wall_s: float
    disk_bytes: int
    memory_bytes: int


class Costs:
    """Expected costs of stages, from the receipts of a store.

    Args:
        root: the store's folder; one without receipts knows nothing.
    """

    def __init__(self, root: Path) -> None:
        receipts: dict[tuple[str, str], list[Receipt]] = defaultdict(list)
        for receipt in read_receipts(root):
            receipts[receipt.stage, receipt.kind].append(receipt)
        self._known = {work: _typical(paid) for work, paid in receipts.items()}

    def known(self, stage: str, kind: str) -> Cost | None:
        """What a stage of some kind of work has typically cost here; None where it never ran."""
        return self._known.get((stage, kind))


def _typical(paid: list[Receipt]) -> Cost:
    return Cost(
        wall_s=statistics.median(receipt.wall_s for receipt in paid),
        disk_bytes=int(statistics.median(receipt.size_bytes for receipt in paid)),
        memory_bytes=max(receipt.peak_memory_bytes for receipt in paid),
    )


def append_receipt(root: Path, key: str, receipt: Receipt) -> None:
    """Add one line for a built artifact; only estimates read it, so that a lost line is no harm."""
    line = json.dumps({"key": key, **asdict(receipt)}, sort_keys=True) + "\n"
    with suppress(OSError):
        descriptor = os.open(root / _FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def read_receipts(root: Path) -> list[Receipt]:
    """What the last stages built in this store cost, oldest first.

    Unreadable lines are left out, and of a store of hundreds of thousands of stages all but the
    newest ``_READ_BYTES``.
    """
    try:
        with (root / _FILE).open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _READ_BYTES))
            lines = stream.read().splitlines()
    except OSError:
        return []
    receipts: list[Receipt] = []
    for line in lines:
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            record = json.loads(line)
            del record["key"]
            receipt = Receipt(**record)
            if is_sound(receipt):
                receipts.append(receipt)
    return receipts


def is_sound(receipt: Receipt) -> bool:
    """Whether a receipt's names are texts and its costs are numbers that can be added up."""
    names: tuple[Any, ...] = (receipt.stage, receipt.kind)
    spent: tuple[Any, ...] = (receipt.wall_s, receipt.cpu_s)
    spent += (receipt.size_bytes, receipt.peak_memory_bytes)
    return all(isinstance(one, str) for one in names) and all(
        isinstance(one, int | float) and 0 <= one < _MOST for one in spent
    )


def free_bytes(root: Path) -> int:
    """How much room is left on the disk of a store, which need not exist yet."""
    place = next(path for path in (root, *root.parents) if path.exists())
    return shutil.disk_usage(place).free
