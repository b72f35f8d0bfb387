"""A user's own file in keys and records: by its name, never by its place."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from overopt.execution.canonical import Plain
from overopt.execution.code.modules import is_file
from overopt.spec.frozen import SourcedSpec, Spec

Declared = TypeVar("Declared", bound=SourcedSpec)
_described: dict[int, tuple[Spec, Plain]] = {}
"""By the identity of the specification, which is held so that no other takes it over."""
_MOST = 10_000


def without_place(spec: Declared) -> Declared:
    """The specification with a user's own file named, but not placed: ``mine.py``.

    Keys and records must not depend on where a file lies; its code counts through the code
    version, and ``stages.own_file.locate_own`` finds it again.
    """
    return spec.model_copy(update={"source": file_name(spec.source)})


def described(spec: Spec) -> Plain:
    """A specification as JSON, without the place of a user's own file; made once.

    A run's nodes are many and its specifications are few.
    """
    kept = _described.get(id(spec))
    if kept is None:
        if len(_described) >= _MOST:
            _described.clear()
        values = spec.to_json()
        if isinstance(spec, SourcedSpec):
            values["source"] = file_name(spec.source)
        kept = _described[id(spec)] = spec, Plain(values)
    return kept[1]


def file_name(source: str) -> str:
    """The name of a user's own file; the dotted name of a shipped module stays as it is."""
    return Path(source).name if is_file(source) else source
