"""``--axis KEY=VALUE,VALUE``: what was typed, read as an axis and its levels."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import NamedTuple

from overopt.errors import UserError
from overopt.spec.level import SHORT

OPTIONS = ("comparisons", "width", "noise")
"""Axes that have an option of their own."""


class Axis(NamedTuple):
    """A setting and the values that it goes through, as they were typed."""

    key: str
    values: tuple[str, ...]


def read_axes(words: Sequence[str]) -> list[Axis]:
    """The axes of a command, each once.

    Raises:
        UserError: no key, no value, a value twice, or an axis twice.
    """
    found: dict[str, Axis] = {}
    for word in words:
        key, equals, written = (part.strip() for part in word.partition("="))
        values = tuple(part.strip() for part in written.split(","))
        if not equals or not key or not all(values):
            raise UserError(
                f"--axis {word}: write it as KEY=VALUE,VALUE such as comparisons=256,1024; KEY is "
                f"{', '.join((*OPTIONS, *SHORT))}, or any setting that --set takes."
            )
        key = SHORT.get(key, key)
        read = [value_of(value) for value in values]
        twice = next((one for i, one in enumerate(read) if one in read[:i]), None)
        if twice is not None:
            raise UserError(f"--axis {word}: {twice} comes twice; give each level once.")
        if key in found:
            raise UserError(f"--axis {word}: {key} has an axis already; give all levels in one.")
        found[key] = Axis(key, values)
    return list(found.values())


def value_of(written: str) -> bool | int | float | str:
    """A value as ``--set`` reads it: a TOML number or boolean, else a word."""
    try:
        value = tomllib.loads(f"value = {written}")["value"]
    except (ValueError, RecursionError):
        return written
    return value if isinstance(value, bool | int | float) else written
