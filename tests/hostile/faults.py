"""Calls that change the disk, and how they fail: once at every place of the program that writes.

A place is the innermost function of the package on the way to the call, with the call's name.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import overopt
from overopt.execution.worker import _build_locked

_PACKAGE = str(Path(overopt.__file__).parent)
_CALLS = ("rename", "replace", "fsync", "mkdir", "write", "unlink", "rmdir")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND

_DRAWN = re.compile(r"\b\d+-[0-9a-f]{16}\b|-[0-9a-f]{8}\b|\.[0-9a-f]{8}\b")
"""What is drawn for names of drafts."""

Verdict = Callable[[str, str], int | None]
"""Given a place and a path, the number of the error that the call raises, or None to let it be."""


@contextmanager
def disk(verdict: Verdict) -> Iterator[None]:
    """Ask for a verdict at each call that would change the disk, on behalf of the package."""

    def guarded(name: str, real: Any, changes: Callable[..., bool]) -> Any:
        def call(*words: Any, **options: Any) -> Any:
            place = _place(name) if changes(*words, **options) else None
            number = None if place is None else verdict(place, str(words[0]))
            if number is not None:
                raise OSError(number, os.strerror(number), str(words[0]))
            return real(*words, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in _CALLS:
            patch.setattr(os, name, guarded(name, getattr(os, name), _always))
        patch.setattr(os, "open", guarded("open", os.open, _opens_descriptor))
        for module in (builtins, io):
            patch.setattr(module, "open", guarded("open", io.open, _opens_file))
        yield


def _always(*words: Any, **options: Any) -> bool:
    return True


def _opens_descriptor(path: Any, flags: int, *rest: Any, **options: Any) -> bool:
    return bool(flags & _WRITES)


def _opens_file(file: Any, mode: str = "r", *rest: Any, **options: Any) -> bool:
    return not isinstance(file, int) and not set(mode).isdisjoint("wxa+")


def _place(name: str) -> str | None:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith(_PACKAGE):
            module = Path(frame.f_code.co_filename).relative_to(_PACKAGE).as_posix()
            return f"{module}: {frame.f_code.co_name}: {name}"
        frame = frame.f_back
    return None


def each_place_once(number: int, exactly: bool = False) -> tuple[Verdict, list[str]]:
    """A verdict by which every place fails the first time that it is reached; and those that did.

    Args:
        number: of the error.
        exactly: tell a place on the way to one file from that on the way to another.
    """
    failed: dict[str, None] = {}

    def verdict(place: str, path: str) -> int | None:
        where = f"{place}: {_DRAWN.sub('*', path)}" if exactly else place
        if where in failed or "<module>" in place:
            return None
        failed[where] = None
        order.append(where)
        return number

    order: list[str] = []
    return verdict, order


def full_from(stage: str) -> tuple[Verdict, list[str]]:
    """A verdict by which the disk is full as soon as a stage of some name is under way."""
    refused: list[str] = []

    def verdict(place: str, path: str) -> int | None:
        if not refused and not _under_way(stage):
            return None
        refused.append(place)
        return FULL

    return verdict, refused


def _under_way(stage: str) -> bool:
    frame = sys._getframe(2)
    while frame is not None and frame.f_code is not _build_locked.__code__:
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return bool(frame.f_locals["task"].node.name == stage)


FULL, BROKEN = errno.ENOSPC, errno.EIO
