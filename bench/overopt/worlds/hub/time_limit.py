"""An end for work that a stranger's text decides, such as the loops of a chat template."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class OutOfTimeError(Exception):
    """The work inside a time limit was ended."""


@contextmanager
def time_limit(limit_s: float) -> Iterator[None]:
    """Raise ``OutOfTimeError`` in the block once it has taken longer than so many seconds.

    It works in any thread, and ends what runs in Python; a single call of compiled code goes on to
    its own end first.
    """
    thread = threading.get_ident()
    over = threading.Event()

    def watch() -> None:
        if not over.wait(limit_s):
            raised = ctypes.py_object(OutOfTimeError)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
