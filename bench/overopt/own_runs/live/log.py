"""The log that a live run writes: a line per measurement, safe against a crash at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from overopt.spec.documents import parse_json


class LiveLog:
    """Appends JSON lines, each written through to the disk before the next step is taken.

    Args:
        path: the file; its folder is made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, step: int) -> list[dict[str, object]]:
        """Make the log ready for a run that stands at a step; returns what stays of it.

        A run that begins puts an older log of the same name aside. One that resumes keeps the
        lines up to its step; a last line that a crash cut short goes with those after it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            return []
        if step == 0:
            self.path.replace(self._free_name())
            return []
        kept: list[dict[str, object]] = []
        # not splitlines, which also splits at letters that a JSON text may hold, such as U+2028
        for line in self.path.read_text(encoding="utf-8", errors="replace").split("\n"):
            if not line:  # after the last end of a line
                continue
            try:
                row = parse_json(line)
            except ValueError:
                break
            at = row.get("step") if isinstance(row, dict) else None
            if not isinstance(at, int) or at > step:
                break
            kept.append(row)
        temporary = self.path.with_name(f".{self.path.name}.writing")
        with temporary.open("w", encoding="utf-8") as stream:
            stream.writelines(_line(row) for row in kept)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.path)
        return kept

    def append(self, row: Mapping[str, object]) -> None:
        """Write one line through to the disk."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(_line(row))
            stream.flush()
            os.fsync(stream.fileno())

    def _free_name(self) -> Path:
        number = 1
        while True:
            aside = self.path.with_name(f"{self.path.stem}.{number}{self.path.suffix}")
            if not aside.exists():
                return aside
            number += 1


def _line(row: Mapping[str, object]) -> str:
    return json.dumps(row, allow_nan=False, ensure_ascii=False) + "\n"
