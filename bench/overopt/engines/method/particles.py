"""An opened method that resamples between tokens."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from overopt.engines.method.opened import Named, Opened
from overopt.methods.contract.particles import Floats, Grown, ParticleMethod


class _Filtering(Named, ParticleMethod, Protocol):
    pass


class FilterConfig(Protocol):
    """The fields that the ``Config`` of every such method has."""

    @property
    def particles(self) -> int:
        """How many answers grow side by side."""
        ...

    @property
    def steps(self) -> int:
        """Into how many blocks the longest response is cut."""
        ...


class OpenedParticles(Opened[_Filtering]):
    """A method that resamples between tokens.

    count: N, answers that grow side by side. steps: blocks of the longest response.
    """

    def __init__(self, functions: _Filtering, config: FilterConfig) -> None:
        super().__init__(functions, config)
        self.count, self.steps = config.particles, config.steps

    def potential(self, grown: Grown, knob: float) -> Floats:
        """Log weight of each particle, (R, N)."""
        return np.asarray(self._functions.potential(self._config, grown, knob), np.float64)
