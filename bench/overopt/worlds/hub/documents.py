"""JSON documents of a model folder, read strictly: what is in them comes from a stranger."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from overopt.errors import UserError, one_line
from overopt.spec.documents import parse_json

_LARGEST_BYTES = 64 << 20
_LARGEST_HEADER_BYTES = 100 << 20
"""What safetensors itself allows for the header of a file."""


def read_document(path: Path, role: str) -> dict[str, Any]:
    """A JSON object of a model folder.

    Raises:
        UserError: the file cannot be read, is too large, or holds anything else.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ValueError(f"it is larger than {_LARGEST_BYTES >> 20} MB")
        document = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{role}: {path} cannot be read as JSON: {one_line(str(error))}."
        ) from error
    if not isinstance(document, dict):
        raise UserError(f"{role}: {path} holds no JSON object; copy the folder again.")
    return document


def words(document: dict[str, Any], key: str, where: str) -> list[str]:
    """A list of texts, empty where it is left out. Raises UserError where it is anything else."""
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UserError(
            f"{where}: {key} in config.json is no list of names; copy the folder again."
        )
    return value


def labels(document: dict[str, Any], where: str) -> dict[int, str]:
    """Names of a classifier's outputs by number, empty where they are left out.

    Raises:
        UserError: they are no table of numbers from 0 without a gap.
    """
    value = document.get("id2label")
    if value is None:
        return {}
    if isinstance(value, dict) and all(key.isascii() and key.isdigit() for key in value):
        found = {int(key[:9]): one_line(str(name), 100) for key, name in value.items()}
        if sorted(found) == list(range(len(found))):
            return found
    raise UserError(
        f"{where}: id2label in config.json does not name the outputs 0, 1, ...; mend it, or leave "
        "it out."
    )


def shards(index: dict[str, Any], path: Path, where: str) -> list[str]:
    """Weight files that an index names, each a file of the same folder.

    Raises:
        UserError: it names none, or a file somewhere else.
    """
    weight_map = index.get("weight_map")
    names = weight_map.values() if isinstance(weight_map, dict) else ()
    found = sorted({name for name in names if isinstance(name, str)})
    if not found or len(found) != len({str(name) for name in names}):
        raise UserError(f"{where}: {path.name} names no weight files; copy the folder again.")
    for name in found:
        if name in ("", ".", "..") or not set(name).isdisjoint("/\\\0"):
            raise UserError(
                f"{where}: {path.name} names the weight file {one_line(name, 100)!r}, which is not "
                "in the folder; copy the folder again."
            )
    return found


def count_weights(path: Path, where: str) -> int:
    """Numbers in a safetensors file by its header, which is checked against the file's length.

    Raises:
        UserError: it is damaged or cut short.
    """
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            size = path.stat().st_size
            if not 0 < length <= min(size - 8, _LARGEST_HEADER_BYTES):
                raise ValueError("its header is longer than the file")
            header = parse_json(stream.read(length))
        entries = [entry for name, entry in header.items() if name != "__metadata__"]
        ends = [_whole(entry["data_offsets"][1]) for entry in entries]
        if 8 + length + max(ends, default=0) != size:
            raise ValueError("its length is not the one its header states")
        return sum(math.prod(map(_whole, entry["shape"])) for entry in entries)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"{where}: {path.name} is damaged or cut short ({one_line(str(error), 200)}); copy it "
            "again."
        ) from error


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a size in its header is no whole number from 0")
    return value
