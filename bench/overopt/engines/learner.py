"""What every training engine does for a method, whatever its family: passes, steps and hooks.

A method's optional functions (``training``, ``make_module``, ``begin``, ``after_step``) and its
INPUTS are read here and nowhere else, so that the engines know families and not methods.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.engines.descent import Descent
from overopt.errors import UserError
from overopt.methods.contract import HiddenStates, StateShape, Training, Weights
from overopt.models.logprobs import Prediction, choose_logps, predict, rao_blackwell_kl
from overopt.models.sequences import Batch, align
from overopt.spec import PairsSpec, RolloutSpec


class Judged(NamedTuple):
    """What the policy says of R responses now, with gradient.

    logp_RT: log-probabilities of the tokens, nats.
    forward_kl_RT: KL(pi_ref || pi) of the next token, nats; None unless asked for.
    output_RTC: outputs of the method's own module; None where it has none.
    prediction: the whole pass.
    """

    logp_RT: Tensor
    forward_kl_RT: Tensor | None
    output_RTC: Tensor | None
    prediction: Prediction


class Learner:
    """A policy in training under a method, with its reference, optimiser, own module and hooks.

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
        self.name = str(method.__name__).rpartition(".")[2]
        self.policy, self.reference = policy, reference
        self._method, self._config = method, config
        inputs: tuple[str, ...] = getattr(method, "INPUTS", ())
        self._forward_kl = "forward_kl" in inputs
        self._policy_states = "policy_states" in inputs
        self._reference_states = "reference_states" in inputs
        make_module = getattr(method, "make_module", None)
        if (make_module is not None) != (self._policy_states or self._reference_states):
            raise UserError(
                f"{self.name}: make_module and INPUTS with policy_states or reference_states go "
                "together; declare both or neither."
            )
        training = getattr(method, "training", None)
        self.training: Training = Training() if training is None else training(config)
        self.module: nn.Module | None = None
        if make_module is not None:
            self.module = make_module(config, state_shape(policy))
        self.descent = Descent(policy, settings, self.name, self.module, self.training.module_rate)
        reference.to(self.descent.device)
        self.anchor: PreTrainedModel | None = None
        self._after_step = getattr(method, "after_step", None)
        self._memory: Any = None
        if self._after_step is not None:
            self._memory = method.begin(config, weights_of(reference))

    @property
    def reads_reference(self) -> bool:
        """Whether ``judge`` needs the reference's pass over the same rows."""
        return self._forward_kl or self._reference_states

    def consult(self, batch: Batch) -> Prediction:
        """The reference's pass over these rows, without gradient."""
        with torch.no_grad():
            return predict(self.reference, batch, self._reference_states)

    def judge(self, batch: Batch, reference: Prediction | None) -> Judged:
        """The policy's pass over these rows, with what the method asks for beside.

        Args:
            batch: R joined rows.
            reference: from ``consult`` on the same rows; may be None unless ``reads_reference``.
        """
        seen = predict(self.policy, batch, self._policy_states)
        forward_kl_RT: Tensor | None = None
        output_RTC: Tensor | None = None
        if self._forward_kl:
            assert reference is not None
            kl_RK = rao_blackwell_kl(reference.logp_BKV, seen.logp_BKV)
            forward_kl_RT = align(kl_RK, batch)
        if self.module is not None:
            source = reference if self._reference_states else seen
            assert source is not None
            output_RTC = self.module(hidden_states(source, batch))
            output_RTC = output_RTC * batch.mask_BT.unsqueeze(-1)
        return Judged(choose_logps(seen.logp_BKV, batch), forward_kl_RT, output_RTC, seen)

    def descend(self, loss: Tensor) -> float:
        """One gradient step and the method's hooks; the gradient's norm before clipping."""
        norm = self.descent.descend(loss)
        if self._after_step is not None:
            done = self._after_step(
                self._config, self._memory, weights_of(self.policy), self.descent.steps
            )
            self._memory = done.memory
            if done.weights is not None:
                set_weights(self.policy, done.weights)
            if done.anchor is not None:
                if self.anchor is None:
                    self.anchor = copy.deepcopy(self.reference)
                set_weights(self.anchor, done.anchor)
        return norm


def state_shape(model: PreTrainedModel) -> StateShape:
    """How many hidden states a model has at each position, and their width."""
    config = model.config
    return StateShape(int(config.num_hidden_layers) + 1, int(config.hidden_size))


def hidden_states(prediction: Prediction, batch: Batch) -> HiddenStates:
    """The hidden states of a pass, aligned with the response's tokens."""
    assert prediction.states_LBJD is not None
    states_BJLD = torch.stack(prediction.states_LBJD, dim=2)
    return HiddenStates(align(states_BJLD[:, :-1], batch), align(states_BJLD[:, 1:], batch))


def weights_of(model: PreTrainedModel) -> dict[str, Tensor]:
    """The parameters of a model by name, without gradient; they still share its memory."""
    return {name: value.detach() for name, value in model.named_parameters()}


def set_weights(model: PreTrainedModel, weights: Weights) -> None:
    """Copy these weights into a model.

    Raises:
        ValueError: if a parameter is missing, or there is one that the model does not have.
    """
    own = dict(model.named_parameters())
    if own.keys() != weights.keys():
        raise ValueError(f"weights do not fit the model: {sorted(own.keys() ^ weights.keys())}")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(weights[name])
