"""One text per JSON value, so that equal values have equal hashes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
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

    def __setitem__(self, key: str, value: object) -> NoReturn:
        raise TypeError("it is shared; make a copy with dict()")

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


def _shared_text(value: Plain) -> str:
    return value.text


_WRITE: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    int: int.__repr__,
    Plain: _shared_text,
}
"""What most values are, by their exact type; a number that JSON may not have is none of them."""
_ATOMS = frozenset((str, int, bool, type(None), Plain))
"""What a copy need not copy."""


def canonical_json(value: Any) -> str:
    """One text per JSON value: sorted keys, no spaces, shortest floats that read back exactly.

    Raises:
        ValueError: for NaN and infinities.
        TypeError: for what JSON cannot hold, and for keys that are not text.
    """
    kind = type(value)
    if kind in _WRITE:
        return _WRITE[kind](value)
    if kind is float and isfinite(value):
        return float.__repr__(value)
    if kind is dict or isinstance(value, Mapping):
        return _object(value)
    if kind is list or isinstance(value, list | tuple):
        return f"[{','.join([_WRITE.get(type(one), canonical_json)(one) for one in value])}]"
    return _encode(value)


def _object(value: Mapping[str, Any]) -> str:
    try:
        held = [
            f"{_name(key)}:{_WRITE.get(type(value[key]), canonical_json)(value[key])}"
            for key in sorted(value)
        ]
    except TypeError:
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"JSON keys are text, not {key!r}") from None
        raise
    return f"{{{','.join(held)}}}"


@lru_cache(maxsize=4096)
def _name(key: str) -> str:
    """A key's text; the same few thousand stand in all nodes of a run."""
    return encode_basestring_ascii(key)


def plain(value: Any) -> Any:
    """A copy as plain JSON values: tuples become lists, and what never changes is shared.

    Raises:
        ValueError: see ``canonical_json``.
        TypeError: likewise.
    """
    kind = type(value)
    if kind in _ATOMS or (kind is float and isfinite(value)):
        return value
    if kind is dict and all(type(key) is str for key in value):
        return {key: held if type(held) in _ATOMS else plain(held) for key, held in value.items()}
    if kind is list or kind is tuple:
        return [held if type(held) in _ATOMS else plain(held) for held in value]
    return json.loads(canonical_json(value))
