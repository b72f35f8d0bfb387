"""``bench worker``: serves the drivers of a store until it is told to stop."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from threading import Event
from types import FrameType

from overopt.commands.printing import open_console
from overopt.errors import UserError
from overopt.execution.executors.serving import Server
from overopt.execution.store import open_store


def serve(place: Path | None, workers: int, leave_after_s: float | None, quiet: bool) -> int:
    """Serve; returns the exit code.

    Raises:
        UserError: the store is in no folder, or its disk refuses.
    """
    if leave_after_s is not None and not leave_after_s >= 0:
        raise UserError(f"--leave-after {leave_after_s:g}: give a number of seconds, 0 or more.")
    store = open_store(place)
    if not store.is_folder:
        raise UserError(
            f"bench worker needs a store in a folder that all machines share, not {store.place}."
        )
    errors, stop = open_console(stderr=True), Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    def tell(text: str) -> None:
        if not quiet:
            errors.print(text, soft_wrap=True, markup=False, highlight=False)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    at_once = f"{workers} stage{'' if workers == 1 else 's'} at once"
    tell(f"Worker on the store {store.root}, {at_once}; stop it with Ctrl-C or SIGTERM.")
    answered = Server(store, workers, tell).serve(
        stop, math.inf if leave_after_s is None else leave_after_s
    )
    tell(f"{answered} stage{'' if answered == 1 else 's'} answered.")
    return 0
