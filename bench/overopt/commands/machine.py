"""What the machine allows: a folder that can be written, and worker processes."""

from __future__ import annotations

import os
from pathlib import Path

from overopt.errors import UserError


def check_folder(option: str, folder: Path) -> None:
    """Refuse a results folder that cannot be made or written, before anything runs."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{option} {folder}: no folder can be made there ({error.strerror}); give another."
        ) from error
    if not os.access(folder, os.W_OK):
        raise UserError(f"{option} {folder}: this folder is read-only; give another.")


def count_workers(given: int | None) -> int:
    """Worker processes: the number given, else the cores that this process may use."""
    if given is not None:
        if given < 1:
            raise UserError(f"--workers {given}: at least 1 process has to work; give 1 or more.")
        return given
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
