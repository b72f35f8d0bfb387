"""A user's own file in keys and records: by its name, never by its place."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from overopt.execution.canonical import Plain
from overopt.execution.code.modules import is_file
from overopt.run.given.once import once_per_spec
from overopt.spec.frozen import SourcedSpec, Spec

Declared = TypeVar("Declared", bound=SourcedSpec)


def without_place(spec: Declared) -> Declared:
    """The specification with a user's own file named, but not placed: ``mine.py``.

    Keys and records must not depend on where a file lies; its code counts through the code
    version, and ``stages.own_file.locate_own`` finds it again.
    """
    return spec.model_copy(update={"source": file_name(spec.source)})


@once_per_spec
def described(spec: Spec) -> Plain:
    """A specification as JSON, without the place of a user's own file; made once."""
    values = spec.to_json()
    if isinstance(spec, SourcedSpec):
        values["source"] = file_name(spec.source)
    return Plain(values)


def file_name(source: str) -> str:
    """The name of a user's own file; the dotted name of a shipped module stays as it is."""
    return Path(source).name if is_file(source) else source
