"""An opened method that learns what is novel."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from overopt.engines.method.opened import Named, Opened
from overopt.methods.contract.novelty import NoveltyMethod, PredictorShape
from overopt.methods.contract.training import Training


class _Foretelling(Named, NoveltyMethod, Protocol):
    pass


class OpenedNovelty(Opened[_Foretelling]):
    """A method that learns what is novel.

    training: inner epochs, minibatches, and the predictor's learning rate over the task's.
    """

    def __init__(self, functions: _Foretelling, config: object) -> None:
        super().__init__(functions, config)
        training = self._optional("training")
        self.training: Training = Training() if training is None else training(config)

    def make_predictor(self, shape: PredictorShape) -> nn.Module:
        """The predictor, its weights at random."""
        return self._functions.make_predictor(self._config, shape)

    def prediction_error(self, predicted_RD: Tensor, target_RD: Tensor) -> Tensor:
        """Error of each response, (R,)."""
        return self._functions.prediction_error(self._config, predicted_RD, target_RD)
