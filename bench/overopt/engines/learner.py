"""What the native engines do for a method, whatever its family: passes, steps and hooks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.contract import required
from overopt.engines.forward import Forward, ForwardPass, state_shape
from overopt.engines.hooks import Hooks
from overopt.engines.method.training import TrainedMethod
from overopt.engines.optimizer import OptimizerSettings, PolicyOptimizer
from overopt.engines.second_gradient import corrector
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import Weights
from overopt.models.logprobs import Prediction
from overopt.models.sequences import Batch
from overopt.models.weights import set_weights, weights_of

Kind = TypeVar("Kind")


class Learner:
    """A policy in training under a method, with its reference, optimizer, own module and hooks.

    Args:
        method: which supplies the mathematics.
        settings: learning rate, warm-up and clipping.
        policy: trained in place.
        reference: the initial policy.
        second: a second one, for a method that makes its first anchor of both.
    """

    def __init__(
        self,
        method: TrainedMethod,
        settings: OptimizerSettings,
        policy: PreTrainedModel,
        reference: PreTrainedModel,
        second: PreTrainedModel | None = None,
    ) -> None:
        self._method = method
        self.name, self.training = method.name, method.training
        self.inputs, self.mixture = method.inputs, method.mixture()
        self.policy, self.reference = policy, reference
        self._forward = ForwardPass(method, state_shape(policy))
        self.module = self._forward.module
        rate = self.training.module_rate
        self.optimizer = PolicyOptimizer(policy, settings, self.name, self.module, rate)
        reference.to(self.optimizer.device)
        self.anchor: PreTrainedModel | None = None
        self._hooks = Hooks(method, weights_of(reference))
        if "second_initial" in self.inputs:
            second = required(second, "a second initial policy").to(self.optimizer.device)
            self._move_anchor(method.first_anchor(weights_of(reference), weights_of(second)))

    @property
    def reads_reference(self) -> bool:
        """Whether ``run`` needs the reference's pass over the same rows."""
        return self._forward.reads_reference

    def method_as(self, kind: Callable[[Any, Any], Kind]) -> Kind:
        """The method, opened for functions that are not of its family."""
        return self._method.as_kind(kind)

    def run_reference(self, batch: Batch) -> Prediction:
        """The reference's pass over these rows, without gradient."""
        return self._forward.run_reference(self.reference, batch)

    def run(self, batch: Batch, before: Reading, reference: Prediction | None) -> Forward:
        """The policy's pass over these rows; see ``ForwardPass.run``."""
        return self._forward.run(self.policy, batch, before, reference)

    def step(self, loss: Tensor, again: Callable[[], Tensor] | None = None) -> float:
        """One gradient step and the method's hooks; the gradient's norm before clipping.

        Args:
            loss: scalar.
            again: the loss of the same rows anew, for a method that takes a second gradient.
        """
        norm = self.optimizer.step(loss, corrector(self._method, self.policy, again))
        self._move_anchor(self._hooks.after_step(self.policy, self.optimizer.steps_taken))
        return norm

    @property
    def temperature(self) -> float:
        """At which the policy draws its next samples."""
        return self._method.temperature(self._hooks.memory)

    def observe(self, rollout: object, gold_BN: Tensor | None = None) -> Any:
        """Let the method see a ``Rollout`` before anything is learned; what it remembers then."""
        return self._hooks.observe(rollout, gold_BN)

    def observe_pairs(self, batch: object) -> Any:
        """Let the method see a ``PairBatch`` before it is learned; what it remembers then."""
        return self._hooks.observe_pairs(batch)

    def begin_steps(self) -> None:
        """The method's hooks before the first gradient step on a rollout."""
        self._move_anchor(self._hooks.before_steps(self.policy))

    def end_round(self) -> None:
        """The method's hooks after all gradient steps on a rollout."""
        self._move_anchor(self._hooks.after_round(self.policy))

    def _move_anchor(self, weights: Weights | None) -> None:
        if weights is None:
            return
        if self.anchor is None:
            self.anchor = copy.deepcopy(self.reference)
        set_weights(self.anchor, weights)
