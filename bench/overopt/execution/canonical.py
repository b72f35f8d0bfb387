"""One text per JSON value, so that equal values have equal hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Any, NoReturn

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


class Plain(dict[str, Any]):
    """A JSON object that never changes, so that many nodes may share it and its text."""

    @cached_property
    def text(self) -> str:
        """Its canonical text."""
        return _object(self)

    def __repr__(self) -> str:
        """Its identity: quick, and another one for every other."""
        return f"Plain({id(self)})"

    def __setitem__(self, key: str, value: object) -> NoReturn:
        raise TypeError("it is shared; make a copy with dict()")

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


def canonical_json(value: Any) -> str:
    """One text per JSON value: sorted keys, no spaces, shortest floats that read back exactly.

    Raises:
        ValueError: for NaN and infinities.
        TypeError: for what JSON cannot hold, and for keys that are not text.
    """
    kind = type(value)
    if kind is str:
        return encode_basestring_ascii(value)
    if kind is Plain:
        text: str = value.text
        return text
    if kind is int:
        return int.__repr__(value)
    if kind is float and isfinite(value):
        return float.__repr__(value)
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(canonical_json, value))}]"
    return _encode(value)


def _object(value: Mapping[str, Any]) -> str:
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"JSON keys are text, not {key!r}")
    held = [f"{encode_basestring_ascii(key)}:{canonical_json(value[key])}" for key in sorted(value)]
    return f"{{{','.join(held)}}}"


def plain(value: Any) -> Any:
    """A copy as plain JSON values: tuples become lists, and what never changes is shared.

    Raises:
        ValueError: see ``canonical_json``.
        TypeError: likewise.
    """
    kind = type(value)
    if kind in (str, int, bool, Plain) or value is None or (kind is float and isfinite(value)):
        return value
    if kind is dict and all(type(key) is str for key in value):
        return {key: plain(held) for key, held in value.items()}
    if kind is list or kind is tuple:
        return [plain(held) for held in value]
    return json.loads(canonical_json(value))
