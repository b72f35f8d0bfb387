"""Reads a submission: its document by a strict schema, its folder without following anything.

Nothing of a submission is executed here, and no file is opened before its size is known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from overopt.errors import UserError, one_line
from overopt.leaderboard.submission.files import check_files, read_plain
from overopt.leaderboard.submission.parts import DOCUMENT
from overopt.leaderboard.submission.schema import (
    FORMAT,
    LARGEST_DOCUMENT_BYTES,
    MOST_CELLS,
    Submission,
)
from overopt.spec.documents import parse_json
from overopt.spec.explanations import explain

_MOST_VALUES = 40_000


def read_submission(folder: Path) -> Submission:
    """The document of a submission's folder, which holds exactly the files that it names.

    Contents are checked by ``files.check_content``, one by one, and not here.

    Raises:
        UserError: the first thing that is wrong, with the field or the file it is in.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the one that bench submit prepare wrote.")
    submission = parse_submission(_document(folder), f"{folder / DOCUMENT}")
    check_files(folder, submission.files())
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
    _check_extent(given, where)
    try:
        # from JSON once more: lists become tuples there, and nothing else is converted
        return Submission.model_validate_json(content)
    except ValidationError as error:
        raise UserError(explain(error, where, Submission)) from error


def _check_extent(document: dict[str, Any], where: str) -> None:
    """Refuse what would make a list of errors without end before it is checked key by key."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    seen = 0
    while waiting:
        place, holder = waiting.pop()
        seen += len(holder)
        if len(holder) > MOST_CELLS or seen > _MOST_VALUES:
            named = one_line(".".join(map(str, place)), 200) or "it"
            raise UserError(
                f"{where}: {named} holds too much; a list has at most {MOST_CELLS} "
                f"entries, the whole document {_MOST_VALUES} values."
            )
        inner = holder.items() if isinstance(holder, dict) else enumerate(holder)
        waiting += [((*place, key), one) for key, one in inner if isinstance(one, dict | list)]


def _document(folder: Path) -> bytes:
    path = folder / DOCUMENT
    return read_plain(path, LARGEST_DOCUMENT_BYTES, f"{folder} holds no {DOCUMENT}")
