"""Tables of prompts, references and preferences: parquet, jsonl or json, read as data only."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from overopt.errors import UserError, one_line
from overopt.spec.documents import parse_json
from overopt.spec.hub import DataOrigin
from overopt.worlds.hub.conversations import ROLES, Turn
from overopt.worlds.hub.folders import locate

_FORMATS = (".parquet", ".jsonl", ".json", ".jsonl.gz", ".json.gz")
_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SPEAKER = re.compile(r"(?:^|\n\n)(Human|Assistant):")
_ROLE = {"Human": "user", "Assistant": "assistant"}


class Example(NamedTuple):
    """One row: a prompt, and where the table has them a reference and a preference pair."""

    prompt: tuple[Turn, ...]
    reference: str | None
    chosen: str | None
    rejected: str | None


def read_examples(origin: DataOrigin, role: str) -> list[Example]:
    """Every row of a table that has a prompt, in the order of its files.

    Rows whose prompt is empty are left out, as are rows that lack the text of a named column.

    Raises:
        UserError: a file is missing or unreadable, a column is missing, or no prompt is left.
    """
    place = locate(origin, role)
    files = _files(place, origin, role)
    examples: list[Example] = []
    rows = 0
    for file in files:
        for row in _rows(file, _columns(origin), role):
            rows += 1
            try:
                example = _example(row, origin, file, role)
            except ValueError as error:
                raise UserError(f"{role}: {file}, row {rows}: {error}.") from error
            if example is not None:
                examples.append(example)
    if not examples:
        raise UserError(
            f"{role}: none of the {rows} rows of {origin.shown} has a prompt (prompt = "
            f"{origin.prompt!r}); name the column that holds the prompts."
        )
    return examples


def _files(place: Path, origin: DataOrigin, role: str) -> list[Path]:
    if place.is_file():
        if not place.name.endswith(_FORMATS):
            raise UserError(
                f"{role}: {place} is none of {', '.join(_FORMATS)}; convert it to one of them."
            )
        return [place]
    try:
        if Path(origin.files).is_absolute() or ".." in Path(origin.files).parts:
            raise ValueError("it leads out of the folder")
        matching = sorted(place.glob(origin.files))
    except (ValueError, OSError, IndexError) as error:
        raise UserError(
            f"{role}: files = {one_line(origin.files, 100)!r} is no pattern of files in {place} "
            f"({error}); write one such as *.parquet."
        ) from error
    found = [path for path in matching if path.is_file() and path.name.endswith(_FORMATS)]
    if not found:
        raise UserError(
            f"{role}: no parquet, jsonl or json file matches files = {origin.files!r} in {place}; "
            "name the files of the data."
        )
    return found


def _rows(file: Path, columns: list[str], role: str) -> Iterator[Mapping[str, Any]]:
    try:
        if file.name.endswith(".parquet"):
            table = pq.ParquetFile(file)
            known = [name for name in columns if name in table.schema_arrow.names]
            wanted = known if len(known) == len(set(columns)) else None  # None: to name them all
            for batch in table.iter_batches(columns=wanted):
                yield from batch.to_pylist()
            return
        opened = gzip.open if file.name.endswith(".gz") else open
        with opened(file, "rt", encoding="utf-8") as stream:
            lines: Iterable[Any] = (
                (parse_json(line) for line in stream if line.strip())
                if ".jsonl" in file.name
                else parse_json(stream.read())
            )
            if not isinstance(lines, Iterable):
                raise ValueError("it is no list of objects")
            for row in lines:
                if not isinstance(row, Mapping):
                    raise ValueError("it is no list of objects")
                yield row
    except (OSError, EOFError, ValueError, zlib.error, pa.ArrowException) as error:
        raise UserError(f"{role}: {file} cannot be read: {one_line(str(error), 500)}.") from error


def _example(row: Mapping[str, Any], origin: DataOrigin, file: Path, role: str) -> Example | None:
    """The row as an example; None where its prompt, or a text that is asked for, is empty."""
    for column in _columns(origin):
        if column not in row:
            raise UserError(
                f"{role}: {file} has no column {column!r}; its columns are "
                f"{one_line(', '.join(map(str, row)), 500)}."
            )
    if origin.prompt is None:
        prompt = _split(row[str(origin.chosen)], origin.layout)[0]
    elif _FIELD.search(origin.prompt):
        filled = _FIELD.sub(lambda match: str(row[match[1]] or ""), origin.prompt)
        prompt = _turns(filled, origin.layout)
    else:
        prompt = _turns(row[origin.prompt], origin.layout)
    if not prompt or not any(turn.content.strip() for turn in prompt):
        return None
    answers = {
        name: _split(row[column], origin.layout)[1]
        for name, column in (
            ("reference", origin.reference),
            ("chosen", origin.chosen),
            ("rejected", origin.rejected),
        )
        if column is not None
    }
    if not all(answer.strip() for answer in answers.values()):
        return None
    return Example(
        tuple(prompt), answers.get("reference"), answers.get("chosen"), answers.get("rejected")
    )


def _columns(origin: DataOrigin) -> list[str]:
    prompt = [] if origin.prompt is None else _FIELD.findall(origin.prompt) or [origin.prompt]
    rest = (origin.reference, origin.chosen, origin.rejected)
    return list(dict.fromkeys([*prompt, *(column for column in rest if column is not None)]))


def _turns(value: Any, layout: str) -> list[Turn]:
    """A prompt as turns; text that is no dialogue is one turn of the user.

    Raises:
        ValueError: a message of a list has no role that is known, or no text.
    """
    if isinstance(value, list):
        return [_turn(one) for one in value]
    text = "" if value is None else str(value)
    if layout == "dialogue" and _SPEAKER.search(text):
        return [turn for turn in _dialogue(text) if turn.content]
    return [Turn("user", text.strip())] if text.strip() else []


def _turn(message: Any) -> Turn:
    role = message.get("role") if isinstance(message, Mapping) else None
    content = message.get("content") if isinstance(message, Mapping) else None
    if role not in ROLES or not isinstance(content, str):
        raise ValueError(
            f"a message has a role ({', '.join(ROLES)}) and a text as its content, not "
            f"{one_line(str(message), 100)}; leave such rows out"
        )
    return Turn(role, content)


def _split(value: Any, layout: str) -> tuple[list[Turn], str]:
    """A response, or a whole conversation parted from its last answer."""
    if isinstance(value, list):
        turns = _turns(value, layout)
    elif layout == "dialogue":
        turns = _dialogue("" if value is None else str(value))
    else:
        return [], "" if value is None else str(value)
    if not turns or turns[-1].role != "assistant":
        return turns, ""
    return [turn for turn in turns[:-1] if turn.content], turns[-1].content.strip()


def _dialogue(text: str) -> list[Turn]:
    parts = _SPEAKER.split(text)
    return [
        Turn(_ROLE[speaker], content.strip())
        for speaker, content in zip(parts[1::2], parts[2::2], strict=True)
    ]
