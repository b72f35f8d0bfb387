"""How far a running stage is: reports from a worker to its driver through a pipe.

A pipe leaves nothing behind, however either end is killed.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from overopt.execution.contract import Progress

_INTERVAL_S = 0.2
_FRAME_BYTES = 4
_SHORT_CHARACTERS = 40


@dataclass(frozen=True)
class Report:
    """What the stage with this number says of itself: fraction done (0 to 1) and a few words.

    pid: of the process that it runs in.
    """

    number: int
    pid: int
    fraction: float
    text: str

    def to_bytes(self) -> bytes:
        """The report as a message that a pipe takes whole or not at all, its text cut if need be.

        A worker may be killed at any moment, and half a message would hold up whoever reads it.
        """
        for text in (self.text, self.text[:_SHORT_CHARACTERS]):
            message = json.dumps([self.number, self.pid, self.fraction, text]).encode()
            if len(message) + _FRAME_BYTES <= select.PIPE_BUF:
                break
        return message

    @classmethod
    def from_bytes(cls, message: bytes) -> Report:
        """What ``to_bytes`` made."""
        number, pid, fraction, text = json.loads(message)
        return cls(int(number), int(pid), float(fraction), str(text))


def piped_progress(
    number: int, to_driver: Connection, clock_s: Callable[[], float] = time.monotonic
) -> Progress:
    """A progress callback that reports through a pipe at most five times a second.

    A report that finds the pipe full or closed is dropped: it is not worth a stage's time.

    Args:
        number: of the attempt, as the driver counts them.
        to_driver: the sending end; it must not block.
        clock_s: seconds from any origin.
    """
    next_s = 0.0

    def tell(fraction: float, text: str) -> None:
        nonlocal next_s
        now_s = clock_s()
        if now_s < next_s:
            return
        next_s = now_s + _INTERVAL_S
        with suppress(OSError):
            report = Report(number, os.getpid(), min(max(fraction, 0.0), 1.0), text)
            to_driver.send_bytes(report.to_bytes())

    return tell
