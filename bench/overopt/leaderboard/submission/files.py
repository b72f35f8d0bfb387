"""The files of a submission's folder: plain ones only, their size known before they are opened."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from overopt.errors import UserError
from overopt.leaderboard.submission.parts import DOCUMENT, FileRef

_MOST_FILES = 50_000
_DEEPEST_FOLDER = 8


def read_plain(path: Path, largest_bytes: int, missing: str) -> bytes:
    """The bytes of a regular file that is no link and no larger than allowed.

    Raises:
        UserError: it is something else.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise UserError(f"{path} is a link; a submission holds plain files only.") from error
        raise UserError(f"{missing} ({error.strerror}); prepare the submission again.") from error
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"{path} is no plain file; a submission holds plain files only.")
        if found.st_nlink > 1:
            raise UserError(f"{path} has a second name (a hard link); copy the folder anew.")
        if found.st_size > largest_bytes:
            raise UserError(
                f"{path} has {found.st_size} bytes; allowed are {largest_bytes}, so leave "
                "out what does not belong there."
            )
        return stream.read(largest_bytes)


def check_content(folder: Path, file: FileRef) -> bytes:
    """The bytes of one file of the submission, after its size and checksum were checked.

    Raises:
        UserError: they are not those that the document pins.
    """
    path = folder / file.path
    content = read_plain(path, file.bytes, f"{path} cannot be read")
    if len(content) != file.bytes or hashlib.sha256(content).hexdigest() != file.sha256:
        raise UserError(
            f"{path} is not the file that {DOCUMENT} names: its sha256 differs; restore it or "
            "prepare the submission again."
        )
    return content


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below a folder by its path inside it; links and strange files are refused."""
    if depth > _DEEPEST_FOLDER:
        raise UserError(f"{folder} is nested more than {_DEEPEST_FOLDER} folders deep.")
    with os.scandir(folder) as entries:
        for entry in entries:
            inner = f"{prefix}{entry.name}"
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                raise UserError(f"{inner} is a link; a submission holds plain files only.")
            if stat.S_ISDIR(found.st_mode):
                yield from _walk(Path(entry.path), f"{inner}/", depth + 1)
            elif stat.S_ISREG(found.st_mode):
                yield inner, found
            else:
                raise UserError(f"{inner} is no plain file; a submission holds plain files only.")


def check_files(folder: Path, files: Iterable[FileRef]) -> None:
    """Refuse a folder that lacks a file, has one too many, or one of another size."""
    wanted = {file.path: file for file in files}
    seen = set()
    for number, (inner, found) in enumerate(_walk(folder, "", 0)):
        if number > _MOST_FILES:
            raise UserError(f"{folder} holds more than {_MOST_FILES} files.")
        if inner == DOCUMENT:
            continue
        if inner not in wanted:
            raise UserError(
                f"{folder / inner} is no part of the submission; {DOCUMENT} names no such file, "
                "so remove it."
            )
        if found.st_nlink > 1:
            raise UserError(f"{folder / inner} has a second name (a hard link); copy it anew.")
        if found.st_size != wanted[inner].bytes:
            raise UserError(
                f"{folder / inner} has {found.st_size} bytes, but {DOCUMENT} says "
                f"{wanted[inner].bytes}; restore it or prepare the submission again."
            )
        seen.add(inner)
    missing = sorted(set(wanted) - seen)
    if missing:
        raise UserError(
            f"{folder} lacks {missing[0]}, which {DOCUMENT} names; restore it or prepare the "
            "submission again."
        )
