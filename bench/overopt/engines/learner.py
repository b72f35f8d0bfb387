"""What the native engines do for a method, whatever its family: passes, steps and hooks."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.forward import Judge, Judged, state_shape
from overopt.engines.hooks import Hooks
from overopt.engines.optimizer import Descent
from overopt.methods.contract.training import Training
from overopt.models.logprobs import Prediction
from overopt.models.sequences import Batch
from overopt.models.weights import set_weights, weights_of
from overopt.spec.pairs import PairsSpec
from overopt.spec.rollout import RolloutSpec


class Learner:
    """A policy in training under a method, with its reference, optimizer, own module and hooks.

    Args:
        method: the module that supplies the mathematics.
        config: its ``Config``.
        settings: learning rate, warm-up and clipping of the family.
        policy: trained in place.
        reference: the initial policy; needed where the method's INPUTS or hooks name it.

    Raises:
        UserError: if the method has a module but names no states for it to read.
    """

    def __init__(
        self,
        method: Any,
        config: Any,
        settings: PairsSpec | RolloutSpec,
        policy: PreTrainedModel,
        reference: PreTrainedModel,
    ) -> None:
        self.name = name_of(method)
        self.policy, self.reference = policy, reference
        self._judge = Judge(self.name, method, config, state_shape(policy))
        self.module = self._judge.module
        self.training = training_of(method, config)
        self.descent = Descent(policy, settings, self.name, self.module, self.training.module_rate)
        reference.to(self.descent.device)
        self.anchor: PreTrainedModel | None = None
        self._hooks = Hooks(method, config, weights_of(reference))

    @property
    def reads_reference(self) -> bool:
        """Whether ``judge`` needs the reference's pass over the same rows."""
        return self._judge.reads_reference

    def consult(self, batch: Batch) -> Prediction:
        """The reference's pass over these rows, without gradient."""
        return self._judge.consult(self.reference, batch)

    def judge(self, batch: Batch, reference: Prediction | None) -> Judged:
        """The policy's pass over these rows; see ``Judge.judge``."""
        return self._judge.judge(self.policy, batch, reference)

    def descend(self, loss: Tensor) -> float:
        """One gradient step and the method's hooks; the gradient's norm before clipping."""
        norm = self.descent.descend(loss)
        anchor = self._hooks.after_step(self.policy, self.descent.steps)
        if anchor is not None:
            if self.anchor is None:
                self.anchor = copy.deepcopy(self.reference)
            set_weights(self.anchor, anchor)
        return norm


def name_of(method: Any) -> str:
    """The name of a method, for messages."""
    return str(method.__name__).rpartition(".")[2]


def training_of(method: Any, config: Any) -> Training:
    """How a method wants its steps taken: inner epochs, minibatches, its module's rate."""
    training: Training = method.training(config) if hasattr(method, "training") else Training()
    return training
