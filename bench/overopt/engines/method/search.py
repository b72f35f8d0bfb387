"""An opened method that searches a tree of partial answers."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from overopt.engines.method.opened import Named, Opened
from overopt.methods.contract.search import Children, Floats, SearchMethod


class _Searching(Named, SearchMethod, Protocol):
    pass


class SearchConfig(Protocol):
    """The fields that the ``Config`` of every such method has."""

    @property
    def rollouts(self) -> int:
        """Walks down the tree."""
        ...

    @property
    def branch(self) -> int:
        """Children that grow from a leaf."""
        ...

    @property
    def steps(self) -> int:
        """Into how many blocks the longest response is cut."""
        ...


class OpenedSearch(Opened[_Searching]):
    """A method that searches a tree of partial answers.

    rollouts, branch, steps: see ``SearchConfig``.
    """

    def __init__(self, functions: _Searching, config: SearchConfig) -> None:
        super().__init__(functions, config)
        self.rollouts, self.branch, self.steps = config.rollouts, config.branch, config.steps

    def priority(self, children: Children) -> Floats:
        """How much each child deserves to be next, (R, C)."""
        return np.asarray(self._functions.priority(self._config, children), np.float64)

    def preference(self, value_RL: Floats, knob: float) -> Floats:
        """Log weight of each leaf, (R, L)."""
        return np.asarray(self._functions.preference(self._config, value_RL, knob), np.float64)
