"""A method's hooks: its memory, and the weights that it replaces after a gradient step."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

from overopt.engines.method.training import TrainedMethod
from overopt.methods.contract.training import AfterStep, Weights
from overopt.models.weights import set_weights, weights_of


class Hooks:
    """The hooks of a method, with what it remembers between calls.

    Args:
        method: which supplies them; without any, nothing ever happens.
        initial: weights of the initial policy, for ``begin``.
    """

    def __init__(self, method: TrainedMethod, initial: Weights) -> None:
        self._method = method
        self._rounds = 0
        self.memory: Any = method.begin(initial)

    def after_step(self, policy: PreTrainedModel, step: int) -> Weights | None:
        """Let the method act on the policy after gradient step ``step``.

        Returns:
            New weights of the anchor, if the method sets it.
        """
        if not self._method.acts_on_weights:
            return None
        return self._act(policy, self._method.after_step(self.memory, weights_of(policy), step))

    def before_steps(self, policy: PreTrainedModel) -> Weights | None:
        """The same before the first gradient step on a rollout."""
        if not self._method.acts_on_weights:
            return None
        number = self._rounds + 1
        return self._act(policy, self._method.before_steps(self.memory, weights_of(policy), number))

    def after_round(self, policy: PreTrainedModel) -> Weights | None:
        """The same after all gradient steps on a rollout."""
        self._rounds += 1
        if not self._method.acts_on_weights:
            return None
        done = self._method.after_round(self.memory, weights_of(policy), self._rounds)
        return self._act(policy, done)

    def observe(self, rollout: object) -> Any:
        """Let the method see a ``Rollout``; what it remembers then."""
        self.memory = self._method.observe(self.memory, rollout)
        return self.memory

    def observe_pairs(self, batch: object) -> Any:
        """Let the method see a ``PairBatch``; what it remembers then."""
        with torch.no_grad():
            self.memory = self._method.observe_pairs(self.memory, batch)
        return self.memory

    def _act(self, policy: PreTrainedModel, done: AfterStep) -> Weights | None:
        self.memory = done.memory
        if done.weights is not None:
            set_weights(policy, done.weights)
        return done.anchor
