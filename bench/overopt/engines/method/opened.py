"""What every opened method has: a module of functions bound to its config, and a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar


class Named(Protocol):
    """Any module."""

    __name__: str


Kind = TypeVar("Kind")
Functions_co = TypeVar("Functions_co", bound=Named, covariant=True)


class Opened(Generic[Functions_co]):
    """A module bound to its config, so that no caller handles either.

    name: for messages.

    Args:
        functions: the module, which supplies the functions of its contract.
        config: an instance of its ``Config``.
    """

    def __init__(self, functions: Functions_co, config: object) -> None:
        self._functions, self._config = functions, config
        self.name = functions.__name__.rpartition(".")[2]

    def as_kind(self, kind: Callable[[Any, Any], Kind]) -> Kind:
        """The same module and config, opened for what else they supply."""
        return kind(self._functions, self._config)

    def _optional(self, name: str) -> Callable[..., Any] | None:
        """A function that the module may leave out."""
        found: Callable[..., Any] | None = getattr(self._functions, name, None)
        return found
