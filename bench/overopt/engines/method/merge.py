"""An opened method of the merge family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from overopt.engines.method.opened import Opened
from overopt.methods.contract.merge import WeightMerge
from overopt.methods.contract.training import Weights


class OpenedMerge(Opened[WeightMerge]):
    """A method that merges the weights of trained policies."""

    def merge(self, initial: Weights, trained: Sequence[Weights], knob: float) -> Weights:
        """The merged policy at this knob."""
        return self._functions.merge(self._config, initial, trained, knob)

    @property
    def between(self) -> float:
        """Of a method of several iterations, the knob from one to the next."""
        config: Any = self._config
        return float(config.between)

    def draw_back(self, initial: Weights, merged: Weights, knob: float) -> Weights:
        """A policy merged in several iterations, at this knob; only where the method has it."""
        draw_back = self._optional("draw_back")
        assert draw_back is not None
        drawn: Weights = draw_back(self._config, initial, merged, knob)
        return drawn
