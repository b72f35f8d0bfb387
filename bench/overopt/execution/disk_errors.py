"""What the store's disk can refuse, and the sentence that tells the user what to do about it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from overopt.errors import UserError, words_of

PLACE_VARIABLE = "OVEROPT_STORE"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No space, none left of a quota, or a limit of the size of files."""
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def disk_errors_explained(root: Path) -> Iterator[None]:
    """Turn the refusals of the disk of the store ``root`` into a UserError; other errors pass."""
    try:
        yield
    except OSError as error:
        sentence = explain_disk_error(root, error)
        if sentence is None:
            raise
        raise UserError(sentence) from error


def explain_disk_error(root: Path, error: BaseException) -> str | None:
    """One sentence for an error that the store's disk caused, or None for any other error."""
    if disk_is_full(error):
        return (
            f"The disk of the store {root} is full: free some space or set {PLACE_VARIABLE} to "
            "another folder, then give the same command again; finished stages are kept."
        )
    if isinstance(error, FileNotFoundError) and not root.is_dir():
        return (
            f"The store {root} was removed while it was in use; give the same command again, which "
            "makes it anew."
        )
    if isinstance(error, FileExistsError | NotADirectoryError):
        return (
            f"The store {root} cannot be made because a part of its path is a file; "
            f"give another folder or set {PLACE_VARIABLE} to one."
        )
    if isinstance(error, OSError) and error.errno in _FORBIDDEN:
        return (
            f"The store {root} cannot be used ({error.strerror}: {error.filename}); "
            f"allow reading and writing there, or set {PLACE_VARIABLE} to a folder of your own."
        )
    return None


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is a full disk.

    Libraries that wrap the system's error keep its words, so that these count as well.
    """
    words = os.strerror(errno.ENOSPC)
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if words in words_of(error):
            return True
        error = error.__cause__ or error.__context__
    return False
