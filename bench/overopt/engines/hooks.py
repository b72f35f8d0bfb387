"""A method's hooks: its memory, and the weights that it replaces after a gradient step."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedModel

from overopt.engines.method.training import TrainedMethod
from overopt.methods.contract.training import Weights
from overopt.models.weights import set_weights, weights_of


class Hooks:
    """``begin`` and ``after_step`` of a method, with what it remembers between steps.

    Args:
        method: which supplies both; without them, nothing ever happens.
        initial: weights of the initial policy, for ``begin``.
    """

    def __init__(self, method: TrainedMethod, initial: Weights) -> None:
        self._method = method
        self.memory: Any = method.begin(initial)

    def after_step(self, policy: PreTrainedModel, step: int) -> Weights | None:
        """Let the method act on the policy after gradient step ``step``.

        Returns:
            New weights of the anchor, if the method sets it.
        """
        if not self._method.acts_on_weights:
            return None
        done = self._method.after_step(self.memory, weights_of(policy), step)
        self.memory = done.memory
        if done.weights is not None:
            set_weights(policy, done.weights)
        return done.anchor
