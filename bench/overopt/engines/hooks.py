"""A method's hooks: its memory, and the weights that it replaces after a gradient step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.contract import required
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
        return self._act(policy, self._method.after_step, step)

    def before_steps(self, policy: PreTrainedModel) -> Weights | None:
        """The same before the first gradient step on a rollout."""
        return self._act(policy, self._method.before_steps, self._rounds + 1)

    def after_round(self, policy: PreTrainedModel) -> Weights | None:
        """The same after all gradient steps on a rollout."""
        self._rounds += 1
        return self._act(policy, self._method.after_round, self._rounds)

    def observe(self, rollout: object, gold_BN: Tensor | None = None) -> Any:
        """Let the method see a ``Rollout``, and its gold first if it asks; what it remembers."""
        if self._method.observes_gold:
            gold_BN = required(gold_BN, "gold, of a method that observes it")
            self.memory = self._method.observe_gold(self.memory, gold_BN)
        self.memory = self._method.observe(self.memory, rollout)
        return self.memory

    def observe_pairs(self, batch: object) -> Any:
        """Let the method see a ``PairBatch``; what it remembers then."""
        with torch.no_grad():
            self.memory = self._method.observe_pairs(self.memory, batch)
        return self.memory

    def _act(
        self, policy: PreTrainedModel, hook: Callable[[Any, Weights, int], AfterStep], number: int
    ) -> Weights | None:
        if not self._method.acts_on_weights:
            return None
        # a copy, since the next step changes the policy's own tensors under whoever keeps them; it
        # moves less memory than that step of the optimizer does
        weights = {name: value.clone() for name, value in weights_of(policy).items()}
        done = hook(self.memory, weights, number)
        self.memory = done.memory
        if done.weights is not None:
            set_weights(policy, done.weights)
        return done.anchor
