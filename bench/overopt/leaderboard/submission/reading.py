"""Reads a submission: its document by a strict schema, its folder without following anything.

Nothing of a submission is executed here, and no file is opened before its size is known.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from overopt.errors import UserError
from overopt.leaderboard.submission.schema import (
    DOCUMENT,
    FORMAT,
    LARGEST_DOCUMENT_BYTES,
    FileRef,
    Submission,
)
from overopt.spec.documents import parse_json
from overopt.spec.explanations import explain

_MOST_FILES = 200_000
_DEEPEST_FOLDER = 8


def read_submission(folder: Path) -> Submission:
    """The document of a submission's folder, which holds exactly the files that it names.

    Contents are checked by ``check_content``, page by page, and not here.

    Raises:
        UserError: the first thing that is wrong, with the field or the file it is in.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the one that bench submit prepare wrote.")
    submission = parse_submission(_document(folder), f"{folder / DOCUMENT}")
    _check_files(folder, submission)
    return submission


def parse_submission(content: bytes, where: str) -> Submission:
    """A document checked against the schema.

    Args:
        content: JSON in UTF-8.
        where: its name, for messages.

    Raises:
        UserError: the first thing that is wrong, with the field.
    """
    if len(content) > LARGEST_DOCUMENT_BYTES:
        raise UserError(
            f"{where} has more than {LARGEST_DOCUMENT_BYTES >> 20} MiB; samples belong into pages."
        )
    try:
        given = parse_json(content)
    except ValueError as error:
        raise UserError(f"{where}: it is not JSON as it should be: {error}.") from error
    if not isinstance(given, dict):
        raise UserError(f"{where} must hold one JSON object; bench submit prepare writes it.")
    stated = given.get("format")
    if stated != FORMAT or isinstance(stated, bool):
        raise UserError(
            f"{where}: format = {str(stated)[:40]}, which this version does not read; it reads "
            f"format {FORMAT}. Prepare the submission again, or use the version that wrote it."
        )
    try:
        # from JSON once more: lists become tuples there, and nothing else is converted
        return Submission.model_validate_json(content)
    except ValidationError as error:
        raise UserError(explain(error, where, Submission)) from error


def _document(folder: Path) -> bytes:
    path = folder / DOCUMENT
    return read_plain(path, LARGEST_DOCUMENT_BYTES, f"{folder} holds no {DOCUMENT}")


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


def _check_files(folder: Path, submission: Submission) -> None:
    """Refuse a folder that lacks a file, has one too many, or one of another size."""
    wanted = {file.path: file for file in submission.files()}
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
