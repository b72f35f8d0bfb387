"""A user's own file in keys and records: by its name, never by its place."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from overopt.execution.code.modules import is_file
from overopt.spec.method import MethodSpec
from overopt.spec.system import ProxySystemSpec

Declared = TypeVar("Declared", MethodSpec, ProxySystemSpec)


def without_place(spec: Declared) -> Declared:
    """The specification with a user's own file named, but not placed: ``mine.py``.

    Keys and records must not depend on where a file lies; its code counts through the code
    version, and ``stages.own_file.locate_own`` finds it again.
    """
    return spec.model_copy(update={"source": file_name(spec.source)})


def file_name(source: str) -> str:
    """The name of a user's own file; the dotted name of a shipped module stays as it is."""
    return Path(source).name if is_file(source) else source
