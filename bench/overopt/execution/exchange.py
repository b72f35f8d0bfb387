"""Two folders that change places at once: whoever looks sees the one or the other, and whole."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

_AT_FDCWD = -100
_SWAP = 2
"""RENAME_EXCHANGE of Linux's renameat2, and RENAME_SWAP of macOS's renamex_np."""


def exchange(one: Path, other: Path) -> bool:
    """Let two folders change places; False where the system or the file system cannot.

    Raises:
        OSError: the system can, and refuses.
    """
    call = _call()
    if call is None:
        return False
    if call(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    number = ctypes.get_errno()
    error = OSError(number, os.strerror(number), str(one))
    if isinstance(error, PermissionError | FileNotFoundError):
        raise error
    return False


def _call() -> Callable[[bytes, bytes], int] | None:
    name = {"linux": "renameat2", "darwin": "renamex_np"}.get(sys.platform)
    if name is None:
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True)[name]
    except AttributeError:
        return None
    here = (_AT_FDCWD,) if name == "renameat2" else ()
    return lambda one, other: int(function(*here, one, *here, other, _SWAP))
