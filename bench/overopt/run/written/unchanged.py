"""Whether a run folder still holds what its run wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from overopt.errors import UserError
from overopt.run.written.prompt_files import same_prompts
from overopt.run.written.trajectories import TRAJECTORY
from overopt.spec.columns import (
    ANGLES_FILE,
    COMPONENTS_FILE,
    DIAGNOSTICS_FILE,
    PROMPTS_FILE,
    RANKINGS_FILE,
)

_BESIDE = (TRAJECTORY, DIAGNOSTICS_FILE, RANKINGS_FILE, ANGLES_FILE, COMPONENTS_FILE)


def check_unchanged(folder: Path, files: Mapping[str, str], prompts: bytes | None) -> None:
    """Compare a run folder with what the same run would write now.

    Raises:
        UserError: a file is another one, or cannot be read.
    """
    for name in (*files, *([PROMPTS_FILE] if prompts else [])):
        if name in _BESIDE and _is_earlier(folder / name, files[name]):
            continue
        try:
            if name == PROMPTS_FILE:
                same = same_prompts(folder / name, prompts or b"")
            else:
                same = (folder / name).read_bytes() == files[name].encode()
        except OSError:
            same = False
        if not same:
            raise UserError(
                f"{folder / name} is not what this run wrote there; results are never overwritten, "
                "so move the folder away and repeat the command: finished stages are kept."
            )


def _is_earlier(path: Path, table: str) -> bool:
    """Whether a table beside the points is missing, or lacks columns that it has by now.

    Of an earlier version, or of a store that had lost it.
    """
    if not path.exists():
        return True
    try:
        with path.open(encoding="utf-8", newline="") as file:
            there = set(file.readline().rstrip("\n").split(","))
    except (OSError, UnicodeDecodeError):
        return False
    return there < set(table.partition("\n")[0].split(","))
