"""An opened method that learns values of prefixes."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from overopt.engines.method.opened import Named, Opened
from overopt.methods.contract.training import Training
from overopt.methods.contract.values import Critic, CriticMethod, Valued, ValueMethod


class _Valuing(Named, ValueMethod, CriticMethod, Protocol):
    pass


class OpenedValues(Opened[_Valuing]):
    """A method that learns values of prefixes.

    training: inner epochs, minibatches, and the values' learning rate over the task's.
    has_critic: whether it learns two heads; else it says what one is to become.
    """

    def __init__(self, functions: _Valuing, config: object) -> None:
        super().__init__(functions, config)
        training = self._optional("training")
        self.training: Training = Training() if training is None else training(config)
        self.has_critic = self._optional("critic_loss") is not None

    def value_targets(self, valued: Valued) -> Tensor:
        """What V of each token is to become, (R, T)."""
        return self._functions.value_targets(self._config, valued)

    def value_loss(self, value_RT: Tensor, target_RT: Tensor) -> Tensor:
        """Loss of each token, (R, T)."""
        return self._functions.value_loss(self._config, value_RT, target_RT)

    def critic_loss(self, critic: Critic) -> Tensor:
        """Loss of each token, (R, T), of a method that learns two heads."""
        return self._functions.critic_loss(self._config, critic)

    def follow(self) -> float:
        """The part of the way that the slow copy goes after each step.

        Raises:
            ValueError: it is not above 0 and at most 1.
        """
        part = float(self._functions.follow(self._config))
        if not 0 < part <= 1:
            raise ValueError(f"{self.name}: follow returns {part}, not a part above 0, at most 1")
        return part
