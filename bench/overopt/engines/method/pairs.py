"""An opened method of the pairs family."""

from __future__ import annotations

from torch import Tensor

from overopt.engines.method.training import OpenedTraining
from overopt.methods.contract.pairs import PairBatch, PairsMethod


class OpenedPairs(OpenedTraining[PairsMethod]):
    """A method that learns from preference pairs."""

    @property
    def couples_pairs(self) -> bool:
        """Whether the pairs of a batch depend on each other in its loss."""
        asked = not self.inputs.isdisjoint({"mismatched", "random_batches"})
        return asked or self._observe_pairs is not None

    @property
    def fewest_pairs(self) -> int:
        """Least pairs of a batch: two where each needs the prompt of another."""
        return 2 if "mismatched" in self.inputs else 1

    def loss(self, batch: PairBatch) -> Tensor:
        """Loss of each pair, shape (B,)."""
        return self._functions.loss(self._config, batch)
