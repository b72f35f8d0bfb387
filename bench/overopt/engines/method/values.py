"""An opened method that learns values of prefixes."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from overopt.engines.method.opened import Named, Opened
from overopt.methods.contract.training import Training
from overopt.methods.contract.values import Valued, ValueMethod


class _Valuing(Named, ValueMethod, Protocol):
    pass


class OpenedValues(Opened[_Valuing]):
    """A method that learns values of prefixes.

    training: inner epochs, minibatches, and the values' learning rate over the task's.
    """

    def __init__(self, functions: _Valuing, config: object) -> None:
        super().__init__(functions, config)
        training = self._optional("training")
        self.training: Training = Training() if training is None else training(config)

    def value_targets(self, valued: Valued) -> Tensor:
        """What V of each token is to become, (R, T)."""
        return self._functions.value_targets(self._config, valued)

    def value_loss(self, value_RT: Tensor, target_RT: Tensor) -> Tensor:
        """Loss of each token, (R, T)."""
        return self._functions.value_loss(self._config, value_RT, target_RT)
