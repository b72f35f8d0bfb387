"""Pages of the documentation whose lower part a command makes anew from stored results."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from overopt.errors import UserError


def marker(command: str) -> str:
    """The line below which a command writes; ``THIS FILE`` stands for the page."""
    return f"<!-- Below: {command} THIS FILE -->"


def renewed(before: str, line: str, below: str) -> str:
    """A page ``before``, with ``below`` under the line of its marker instead of what was there.

    Raises:
        UserError: the page has no marker.
    """
    head, found, _ = before.partition(line)
    if not found:
        raise UserError(f"the page lacks its marker; put this line where tables go: {line}")
    return f"{head}{line}\n\n{below.rstrip()}\n"


def remake(words: Sequence[str], page: Callable[[str, Path], str]) -> None:
    """Replace the page of the second word, in one step, by what the folder of the first makes."""
    folder, target = map(Path, words)
    text = page(target.read_text(encoding="utf-8"), folder)
    draft = target.with_name(f".{target.name}-{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)
