"""JSON that anybody may have written: bounded, and such that all of it can be written again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

DEEPEST = 100
"""Lists and objects within each other; what reads or writes a document again counts on it."""

LARGEST_NUMBER = 1e30
"""Of what anybody measures; no quantity is as large, and its eighth power is still a number."""

RECORD_FORMAT = 1
"""Of the documents that runs leave; goes up when a key changes its meaning or goes."""


def parse_json(text: str | bytes, *, any_number: bool = False) -> Any:
    """A document without repeated keys, whose numbers are finite and whose texts are text.

    Args:
        text: the document, in UTF-8.
        any_number: take NaN, infinities and what is too large as well, for who says better where
            they stand.

    Raises:
        ValueError: it is anything else; the words say what.
    """
    whole = text.decode() if isinstance(text, bytes) else text
    try:
        checks: dict[str, Any] = {} if any_number else _NUMBERS
        value = json.loads(whole, object_pairs_hook=_distinct, **checks)
    except RecursionError:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from None
    if whole.count("[") + whole.count("{") > DEEPEST:
        _check_depth(value)
    if "\\ud" in whole or "\\uD" in whole:
        _check_letters(value)
    return value


def check_format(record: Mapping[str, Any]) -> None:
    """Refuse a record that another version wrote in another form; the first ones named none.

    Raises:
        ValueError: its ``format`` is not the one that is read here; the words say what to do.
    """
    stated = record.get("format", RECORD_FORMAT)
    if stated != RECORD_FORMAT or isinstance(stated, bool):
        raise ValueError(
            f"format = {str(stated)[:40]}, which this version does not read; it reads "
            f"format {RECORD_FORMAT}. Use the version of overopt that wrote it, or run it again."
        )


def _whole(text: str) -> int:
    if len(text) > 300:
        raise ValueError(f"it holds a number of {len(text)} digits")
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"it holds {text[:40]}, which is too large for a number")
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"it holds {text}, which is not a number")


_NUMBERS = {"parse_int": _whole, "parse_float": _real, "parse_constant": _refuse}


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name[:60]!r} occurs twice")
            seen.add(name)
    return found


def _check_depth(value: Any) -> None:
    layer = [value]
    for _ in range(DEEPEST + 1):
        layer = [one for one in layer if isinstance(one, dict | list)]
        if not layer:
            return
        layer = [
            inner for one in layer for inner in (one.values() if isinstance(one, dict) else one)
        ]
    raise ValueError(f"it is nested more than {DEEPEST} deep")


def _check_letters(value: Any) -> None:
    """Refuse halves of a letter, which no file can hold."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            try:
                one.encode()
            except UnicodeEncodeError as error:
                half = ascii(one[error.start])
                raise ValueError(f"it holds {half}, which is half a letter") from None
