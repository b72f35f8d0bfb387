"""What runs in an actor of a cluster; it knows nothing of the library that carries it there."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from overopt.execution.code.version import code_version
from overopt.execution.messages import Message
from overopt.execution.worker import OFFLINE, SINGLE_THREAD, Order, build


@dataclass(frozen=True)
class Seen:
    """What a process sees: its host, the version of its code, whether a shared store is there."""

    host: str
    code: str
    is_shared: bool


def seen_here(place: str) -> Seen:
    """What this process sees of the store at a place."""
    return Seen(
        host=platform.node(),
        code=code_version(__name__),
        is_shared=(Path(place) / "shared.json").is_file(),
    )


class Builder:
    """Builds one stage at a time, and says meanwhile how far it is."""

    def __init__(self) -> None:
        os.environ.update(SINGLE_THREAD | OFFLINE)
        self._at = ("", 0.0, "")

    def see(self, place: str) -> Seen:
        """What this actor sees of the store."""
        return seen_here(place)

    def build(self, task: Order) -> Message:
        """Build an artifact and say what came of it."""

        def progress(fraction: float, text: str) -> None:
            self._at = (task.key, min(max(fraction, 0.0), 1.0), text)

        progress(0.0, "")
        return build(task, progress)

    def progress(self) -> tuple[str, float, str]:
        """The key of the last stage, how far it is, and its own words."""
        return self._at
