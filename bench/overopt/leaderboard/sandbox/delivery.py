"""How a confined process hands over what it made: frames on a pipe, each bounded.

A frame is a line of JSON, ``{"kind": ..., "bytes": n, ...}``, and n bytes. Whoever reads trusts
nothing: a hostile process writes here what it likes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from overopt.errors import one_line

LONGEST_HEAD = 64 << 10
"""Bytes of the line that begins a frame."""
Kind = Literal["progress", "file", "error", "refused", "end"]
KINDS = ("progress", "file", "error", "refused", "end")


class Spoiled(Exception):
    """What came over the pipe is not what is allowed there; the text says what."""


@dataclass(frozen=True)
class Frame:
    """kind: see ``Kind``. head: the rest of the line. body: the bytes of a file."""

    kind: str
    head: dict[str, Any]
    body: bytes


class Sender:
    """The inner end of the pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, kind: Kind, body: bytes = b"", **head: object) -> None:
        """Write one frame, however long it takes."""
        line = json.dumps({"kind": kind, "bytes": len(body), **head}).encode() + b"\n"
        for part in (line, body):
            view = memoryview(part)
            while view:
                view = view[os.write(self._descriptor, view) :]


@dataclass
class Receiver:
    """Puts frames together from the pieces that come.

    allowed_bytes: of all frames together.
    """

    allowed_bytes: int
    _waiting: bytearray = field(default_factory=bytearray)
    _head: dict[str, Any] | None = None
    _taken_bytes: int = 0

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """Take a piece; yields the frames that it completes.

        Raises:
            Spoiled: too much came, or what is no frame.
        """
        self._taken_bytes += len(piece)
        if self._taken_bytes > self.allowed_bytes:
            raise Spoiled(f"it handed over more than {self.allowed_bytes} bytes")
        self._waiting += piece
        while True:
            if self._head is None:
                end = self._waiting.find(b"\n", 0, LONGEST_HEAD)
                if end < 0:
                    if len(self._waiting) >= LONGEST_HEAD:
                        raise Spoiled("it handed over what is no frame: a line without an end")
                    return
                self._head = _read_head(bytes(self._waiting[:end]), self.allowed_bytes)
                del self._waiting[: end + 1]
            size = self._head["bytes"]
            if len(self._waiting) < size:
                return
            head, self._head = self._head, None
            body = bytes(self._waiting[:size])
            del self._waiting[:size]
            kept = {name: value for name, value in head.items() if name not in ("kind", "bytes")}
            yield Frame(head["kind"], kept, body)


def _read_head(line: bytes, allowed_bytes: int) -> dict[str, Any]:
    try:
        head = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Spoiled("it handed over what is no frame: a line that is not JSON") from error
    if not isinstance(head, dict) or head.get("kind") not in KINDS:
        shown = one_line(str(head), 80)
        raise Spoiled(f"it handed over what is no frame: {shown}")
    size = head.get("bytes")
    if type(size) is not int or not 0 <= size <= allowed_bytes:
        raise Spoiled("it handed over a frame of a size that is not allowed")
    return head
