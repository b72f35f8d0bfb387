"""What a method reads of a pass: log-probabilities and, if it asks, KL, states and own outputs.

A method's INPUTS and its ``make_module`` are read here and nowhere else, so that the engines know
families and not methods.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.errors import UserError
from overopt.methods.contract.training import HiddenStates, StateShape
from overopt.models.logprobs import Prediction, choose_logps, predict, rao_blackwell_kl
from overopt.models.sequences import Batch, align


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


class Judge:
    """Runs policy and reference over rows and hands on what the method has asked for.

    Args:
        name: of the method, for the error message.
        method: the module that supplies the mathematics.
        config: its ``Config``.
        shape: of the policy's hidden states.
        together: one forward pass for all rows, as processes that meet in every pass need it.

    Raises:
        UserError: if the method has a module but names no states for it to read.
    """

    def __init__(
        self, name: str, method: Any, config: Any, shape: StateShape, together: bool = False
    ) -> None:
        self._together = together
        inputs: tuple[str, ...] = getattr(method, "INPUTS", ())
        self._forward_kl = "forward_kl" in inputs
        self._policy_states = "policy_states" in inputs
        self._reference_states = "reference_states" in inputs
        make_module = getattr(method, "make_module", None)
        if (make_module is not None) != (self._policy_states or self._reference_states):
            raise UserError(
                f"{name}: make_module and INPUTS with policy_states or reference_states go "
                "together; declare both or neither."
            )
        self.module: nn.Module | None = None
        if make_module is not None:
            self.module = make_module(config, shape)

    @property
    def reads_reference(self) -> bool:
        """Whether ``judge`` needs the reference's pass over the same rows."""
        return self._forward_kl or self._reference_states

    @property
    def reads_tokens_only(self) -> bool:
        """Whether the log-probabilities of the responses' tokens are all that is asked for."""
        return self.module is None and not self._forward_kl

    def consult(self, reference: PreTrainedModel, batch: Batch) -> Prediction:
        """The reference's pass over these rows, without gradient."""
        with torch.no_grad():
            return predict(reference, batch, self._reference_states, self._together)

    def judge(self, policy: PreTrainedModel, batch: Batch, reference: Prediction | None) -> Judged:
        """The policy's pass over these rows, with what the method asks for beside.

        Args:
            policy: the policy, or what spreads it over processes.
            batch: R joined rows.
            reference: from ``consult`` on the same rows; may be None unless ``reads_reference``.
        """
        seen = predict(policy, batch, self._policy_states, self._together)
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


def state_shape(model: PreTrainedModel) -> StateShape:
    """How many hidden states a model has at each position, and their width."""
    config = model.config
    return StateShape(int(config.num_hidden_layers) + 1, int(config.hidden_size))


def hidden_states(prediction: Prediction, batch: Batch) -> HiddenStates:
    """The hidden states of a pass, aligned with the response's tokens."""
    assert prediction.states_LBJD is not None
    states_BJLD = torch.stack(prediction.states_LBJD, dim=2)
    return HiddenStates(align(states_BJLD[:, :-1], batch), align(states_BJLD[:, 1:], batch))
