"""Files and folders that are on the disk once the call has returned."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_synced(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON and flush it to the disk."""
    with path.open("x", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1, sort_keys=True, allow_nan=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below ``folder``, and ``folder`` itself, to the disk."""
    for at, _, files in os.walk(folder, topdown=False):
        for name in files:
            with Path(at, name).open("rb" if os.name == "posix" else "rb+") as stream:
                os.fsync(stream.fileno())
        sync_folder(Path(at))
