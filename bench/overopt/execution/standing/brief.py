"""What a plan asks of an artifact, a line each: half a million manifests take long to open.

``standing.txt`` in a store's folder is a note beside the manifests, which are the truth. A line
holds for the manifest of its stamp only, and is looked past as soon as that has changed; a line
that is lost, torn or spoiled costs no more than a look at a manifest.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

FILE = "standing.txt"
_DIGITS = 16
"""Of keys and digests: 64 bits tell half a million of them apart."""
_END = "."
"""The last word of a line that was written to its end."""


class Brief(NamedTuple):
    """What a manifest says of its artifact, as far as a plan asks.

    digest: of the files. inputs: digest of each input that was used, in the order of their roles.
    Both are cut to their first digits. size_bytes: of all files.
    """

    digest: str
    inputs: tuple[str, ...]
    size_bytes: int

    @classmethod
    def of(cls, digest: str, inputs: Iterable[tuple[str, str]], size_bytes: int) -> Brief:
        """From whole digests; those of the inputs with their roles, in any order."""
        in_order = tuple(given[:_DIGITS] for _, given in sorted(inputs))
        return cls(digest[:_DIGITS], in_order, size_bytes)


class Noted(NamedTuple):
    """A brief with the key of its artifact and the stamp of the manifest that says so."""

    key: str
    stamp: str
    brief: Brief


def note_briefs(root: Path, noted: Iterable[Noted]) -> None:
    """Add a line for each; a plan without them is right, and slower."""
    lines = [_line(one) for one in noted]
    if not lines:
        return
    with suppress(OSError):
        descriptor = os.open(root / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, "".join(lines).encode())
        finally:
            os.close(descriptor)


def _line(one: Noted) -> str:
    brief = one.brief
    words = (one.key[:_DIGITS], one.stamp, brief.digest, str(brief.size_bytes), *brief.inputs)
    return " ".join((*words, _END)) + "\n"


class Briefs:
    """The lines of a store's folder; of several for one artifact the newest.

    Args:
        root: the folder; one without the file knows nothing.
    """

    def __init__(self, root: Path) -> None:
        try:
            lines = (root / FILE).read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            lines = []
        self._lines = {line[:_DIGITS]: line for line in lines}

    def find(self, key: str, stamp: str, inputs: int) -> Brief | None:
        """What is noted of an artifact with so many inputs whose manifest has this stamp."""
        line = self._lines.get(key[:_DIGITS])
        if line is None:
            return None
        _, *fields = line.split(" ")
        if len(fields) != inputs + 4 or fields[0] != stamp or fields[-1] != _END:
            return None
        _, digest, size, *digests, _ = fields
        if not size.isdecimal() or any(len(one) != _DIGITS for one in (digest, *digests)):
            return None
        return Brief(digest, tuple(digests), int(size))
