"""Folders of results, written once: a draft under a passing name, fsync, rename."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

import psutil

from overopt.errors import UserError
from overopt.execution.artifact import probe
from overopt.execution.synced import sync_folder, sync_tree


def check_writable(out: Path) -> None:
    """Try to write in the results folder, before any work is done.

    Raises:
        UserError: it cannot be made or written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe(out / ".probe")
    except OSError as error:
        raise _refusal(out, error) from error


def _refusal(place: Path, error: OSError) -> UserError:
    return UserError(
        f"The results cannot be written to {place} ({error.strerror}); give another folder "
        "with --out and repeat the command: finished stages are kept."
    )


def write_folder(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write all files under a passing name, then rename; leftovers of killed writers go first.

    Another command that writes the same folder at this moment keeps its draft, and whoever is
    second leaves what the first has written.
    """
    draft = folder.with_name(f".{folder.name}-{_writer()}-{secrets.token_hex(4)}")
    try:
        for leftover in folder.parent.glob(f".{folder.name}-*"):
            if not _is_written(leftover):
                shutil.rmtree(leftover, ignore_errors=True)
        draft.mkdir(parents=True)
        for name, content in files.items():
            whole = content if isinstance(content, bytes) else content.encode()
            (draft / name).write_bytes(whole)
        sync_tree(draft)
        draft.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if not (folder / "run.json").is_file():
            raise _refusal(folder, error) from error


def _writer() -> str:
    """This process among those of all machines that may share the folder."""
    host = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    return f"{host}-{os.getpid()}"


def _is_written(draft: Path) -> bool:
    """Whether the process that writes a draft may be alive; a stranger's machine is not asked."""
    *_, host, pid, _ = ("", "", *draft.name.split("-"))
    ours = _writer().partition("-")[0]
    if len(host) != len(ours) or not pid.isdigit():
        return False
    return host != ours or psutil.pid_exists(int(pid))
