"""An opened method whose policy is composed at every token, whatever its family."""

from __future__ import annotations

from typing import Protocol

from overopt.engines.method.opened import Named, Opened
from overopt.methods.contract.composition import ComposedMethod, Composition


class _Composing(Named, ComposedMethod, Protocol):
    pass


class OpenedComposed(Opened[_Composing]):
    """A method whose policy is composed."""

    def compose(self, knob: float) -> Composition:
        """The weights at this knob."""
        return self._functions.compose(self._config, knob)
