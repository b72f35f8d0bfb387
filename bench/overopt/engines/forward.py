"""Forward passes of policy and reference, with what the method has asked for beside.

A method's INPUTS and its own module are served here, so that engines know families, not methods.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.method.training import TrainedMethod
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import HiddenStates, StateShape
from overopt.models.logprobs import Prediction, choose_logps, predict, rao_blackwell_kl
from overopt.models.sequences import Batch, align


class Forward(NamedTuple):
    """A pass of the policy: its reading of R responses (R, T), and all that it predicts."""

    reading: Reading
    prediction: Prediction


class ForwardPass:
    """Runs policy and reference over rows, and computes what the method asks for.

    Args:
        method: whose INPUTS and module are served.
        shape: of the policy's hidden states.
        together: one forward pass for all rows, as processes that meet in every pass need it.
    """

    def __init__(self, method: TrainedMethod, shape: StateShape, together: bool = False) -> None:
        self._inputs, self._together = method.inputs, together
        self.module = method.make_module(shape)

    @property
    def reads_reference(self) -> bool:
        """Whether ``run`` needs the reference's pass over the same rows."""
        return not self._inputs.isdisjoint({"forward_kl", "reverse_kl", "reference_states"})

    @property
    def reads_tokens_only(self) -> bool:
        """Whether the log-probabilities of the responses' tokens are all that is asked for."""
        return self.module is None and self._inputs.isdisjoint(
            {"forward_kl", "reverse_kl", "collision_logp"}
        )

    def run_reference(self, reference: PreTrainedModel, batch: Batch) -> Prediction:
        """The reference's pass over these rows, without gradient."""
        states = "reference_states" in self._inputs
        with torch.no_grad():
            return predict(reference, batch, states, self._together)

    def run(
        self,
        policy: PreTrainedModel,
        batch: Batch,
        before: Reading,
        reference: Prediction | None,
    ) -> Forward:
        """The policy's pass over these rows, with gradient if enabled.

        Args:
            policy: the policy, or what spreads it over processes.
            batch: R joined rows.
            before: a reading of the same rows; what does not depend on the policy is kept of it.
            reference: from ``run_reference`` on these rows; may be None unless
                ``reads_reference``.
        """
        prediction = predict(policy, batch, "policy_states" in self._inputs, self._together)
        forward_kl_RT: Tensor | None = None
        reverse_kl_RT: Tensor | None = None
        collision_logp_RT: Tensor | None = None
        output_RTC: Tensor | None = None
        if "forward_kl" in self._inputs:
            assert reference is not None
            kl_RK = rao_blackwell_kl(reference.logp_BKV, prediction.logp_BKV)
            forward_kl_RT = align(kl_RK, batch)
        if "reverse_kl" in self._inputs:
            assert reference is not None
            kl_RK = rao_blackwell_kl(prediction.logp_BKV, reference.logp_BKV)
            reverse_kl_RT = align(kl_RK, batch)
        if "collision_logp" in self._inputs:
            logp_BKV = prediction.logp_BKV.detach()
            collision_logp_RT = align(torch.logsumexp(2 * logp_BKV, -1), batch)
        if self.module is not None:
            source = reference if "reference_states" in self._inputs else prediction
            assert source is not None
            output_RTC = self.module(hidden_states(source, batch))
            output_RTC = output_RTC * batch.mask_BT.unsqueeze(-1)
        reading = before._replace(
            policy_logp=choose_logps(prediction.logp_BKV, batch),
            forward_kl=forward_kl_RT,
            output=output_RTC,
            collision_logp=collision_logp_RT,
            reverse_kl=reverse_kl_RT,
        )
        return Forward(reading, prediction)


def state_shape(model: PreTrainedModel) -> StateShape:
    """How many hidden states a model has at each position, and their width."""
    config = model.config
    return StateShape(int(config.num_hidden_layers) + 1, int(config.hidden_size))


def hidden_states(prediction: Prediction, batch: Batch) -> HiddenStates:
    """The hidden states of a pass, aligned with the response's tokens."""
    assert prediction.states_LBJD is not None
    states_BJLD = torch.stack(prediction.states_LBJD, dim=2)
    return HiddenStates(align(states_BJLD, batch), align(states_BJLD, batch, later=1))
