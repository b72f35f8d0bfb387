"""A method's hooks: its memory, and the weights that it replaces after a gradient step."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedModel

from overopt.methods.contract.training import AfterStep, Weights
from overopt.models.weights import set_weights, weights_of


class Hooks:
    """``begin`` and ``after_step`` of a method, with what it remembers between steps.

    Args:
        method: the module that supplies both; without them, nothing ever happens.
        config: its ``Config``.
        initial: weights of the initial policy, for ``begin``.
    """

    def __init__(self, method: Any, config: Any, initial: Weights) -> None:
        self._method, self._config = method, config
        self.memory: Any = method.begin(config, initial) if declares_hooks(method) else None

    def after_step(self, policy: PreTrainedModel, step: int) -> Weights | None:
        """Let the method act on the policy after gradient step ``step``.

        Returns:
            New weights of the anchor, if the method sets it.
        """
        if not declares_hooks(self._method):
            return None
        done: AfterStep = self._method.after_step(
            self._config, self.memory, weights_of(policy), step
        )
        self.memory = done.memory
        if done.weights is not None:
            set_weights(policy, done.weights)
        return done.anchor


def declares_hooks(method: Any) -> bool:
    """Whether a method acts on weights between gradient steps."""
    return hasattr(method, "after_step")
