"""How the command ends where no subcommand knew better: one line, whatever went wrong."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from overopt.errors import one_line, words_of


def print_any_letter() -> None:
    """Let a letter that the terminal's encoding lacks be printed as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def end(code: int, told: str) -> NoReturn:
    """Leave with one line. What standard output still holds is dropped if nobody takes it."""
    with suppress(OSError):
        sys.stderr.write(f"error: {one_line(told)}\n")
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(code) from None


def about_disk(error: OSError) -> str:
    """A file or a device that the system refuses."""
    where = f"{error.filename}: " if error.filename is not None else ""
    reason = error.strerror or str(error)
    return f"{where}{reason}; look at the path, its permissions and the space left, and try again."


def about_defect(error: Exception) -> str:
    """What is left is a defect of this program; says where its traceback was written."""
    told = f"bench itself failed ({type(error).__name__}: {words_of(error)})"
    text = "".join(traceback.format_exception(error))
    with suppress(OSError):
        place, path = tempfile.mkstemp(".txt", "overopt-")
        os.close(place)
        Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")
        return (
            f"{told}; nothing that was finished is lost. Please report it with {path}, which says "
            "where."
        )
    return f"{told}; please report it."
