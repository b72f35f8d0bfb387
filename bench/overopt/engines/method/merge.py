"""An opened method of the merge family."""

from __future__ import annotations

from collections.abc import Sequence

from overopt.engines.method.opened import Opened
from overopt.methods.contract.merge import WeightMerge
from overopt.methods.contract.training import Weights


class OpenedMerge(Opened[WeightMerge]):
    """A method that merges the weights of trained policies."""

    def merge(self, initial: Weights, trained: Sequence[Weights], knob: float) -> Weights:
        """The merged policy at this knob."""
        return self._functions.merge(self._config, initial, trained, knob)
