"""Pages of the documentation whose lower part a command makes anew from stored results."""

from __future__ import annotations

import os
from pathlib import Path

from overopt.errors import UserError


def marker(command: str) -> str:
    """The line below which a command writes; ``THIS FILE`` stands for the page."""
    return f"<!-- Below: {command} THIS FILE -->"


def renewed(before: str, line: str, below: str) -> str:
    """A page with its part below the marker made anew.

    Args:
        before: the page as it is.
        line: its marker.
        below: what goes there.

    Raises:
        UserError: the page has no marker.
    """
    head, found, _ = before.partition(line)
    if not found:
        raise UserError(f"the page lacks its marker; put this line where tables go: {line}")
    return f"{head}{line}\n\n{below.rstrip()}\n"


def write_page(target: Path, text: str) -> None:
    """Replace a page in one step."""
    draft = target.with_name(f".{target.name}-{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)
