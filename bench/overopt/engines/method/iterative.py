"""An opened method of the iterative family."""

from __future__ import annotations

from torch import Tensor

from overopt.engines.method.training import OpenedTraining
from overopt.methods.contract.iterative import IterativeMethod, KeptRows, RowPairs, SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout


class OpenedIterative(OpenedTraining[IterativeMethod]):
    """A method that turns fresh samples into data, round after round."""

    def build(self, rollout: Rollout) -> KeptRows | RowPairs:
        """The data of a round, out of its samples."""
        return self._functions.build(self._config, rollout)

    def loss(self, batch: Reading | SamplePairs) -> Tensor:
        """Loss of each kept sample or pair, shape (B,)."""
        return self._functions.loss(self._config, batch)
