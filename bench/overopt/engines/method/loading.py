"""Opens a method or proxy: imports its module and makes its config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from overopt.engines.method.opened import Named, Opened
from overopt.execution.code.modules import load_module


class Source(Protocol):
    """Where a module lies, and the values of its ``Config``: a method's or a proxy's spec."""

    @property
    def source(self) -> str:
        """Dotted name, or path of a file."""
        ...

    @property
    def config(self) -> Mapping[str, bool | int | float | str]:
        """Every field of ``Config``."""
        ...


AnyOpened = TypeVar("AnyOpened", bound=Opened[Named])


def open_as(kind: type[AnyOpened], spec: Source) -> AnyOpened:
    """Import a module, which runs its code, and bind it to its config.

    That it has its family's functions is held by the tests, or by a rehearsal.
    """
    found: Any = load_module(spec.source)
    return kind(found, found.Config(**spec.config))
