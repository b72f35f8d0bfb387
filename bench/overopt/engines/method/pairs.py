"""An opened method of the pairs family."""

from __future__ import annotations

from torch import Tensor

from overopt.engines.method.training import OpenedTraining
from overopt.methods.contract.pairs import PairBatch, PairsMethod


class OpenedPairs(OpenedTraining[PairsMethod]):
    """A method that learns from preference pairs."""

    def loss(self, batch: PairBatch) -> Tensor:
        """Loss of each pair, shape (B,)."""
        return self._functions.loss(self._config, batch)
