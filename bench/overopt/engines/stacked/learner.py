"""A learner whose passes are made in a stack, for all cells at once, before it asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.engines.contract import RunInputs
from overopt.engines.forward import Forward, ForwardPass, state_shape
from overopt.engines.learner import Learner
from overopt.engines.method.remembered import Unwritable, describe, rebuild
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.optimizer import OptimizerSettings
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import HiddenStates
from overopt.models.logprobs import Prediction
from overopt.models.sequences import Batch


class Heard(NamedTuple):
    """What the stack has said of one cell's rows, in the shape of a model's output.

    logits: (R, L, V). hidden_states: (R, L, D) of each layer; None if not asked for.
    """

    logits: Tensor
    hidden_states: tuple[Tensor, ...] | None

    def of(self, rows: int, length: int) -> Heard:
        """Without what fills the rectangle."""
        states = self.hidden_states
        return Heard(
            self.logits[:rows, :length],
            None if states is None else tuple(layer[:rows, :length] for layer in states),
        )


class StackedLearner(Learner):
    """A cell's learner: the native one but for its passes.

    A reading is asked of it as of any learner. It repeats what the stack said of these very rows,
    and computes from that what the method asks for. Steps are the stack's own.

    Args:
        method: which supplies the mathematics.
        settings: of the optimizer.
        inputs: of the cell.
        device: of the stack.
    """

    def __init__(
        self,
        method: OpenedRollout,
        settings: OptimizerSettings,
        inputs: RunInputs,
        device: torch.device,
    ) -> None:
        super().__init__(method, settings, inputs.policy, inputs.reference)
        for model in (self.policy, self.reference):
            model.to(device)
        self._opened = method
        self._speaking, self._speaking_reference = _Voice(self.policy), _Voice(self.reference)
        self._forward = ForwardPass(method, state_shape(self.policy), together=True)
        self._played = None if self.module is None else _Played(self.module.to(device))
        self._forward.module = self._played

    def hear(
        self,
        policy: Heard,
        module: Mapping[str, Tensor],
        reference: Heard | None = None,
    ) -> None:
        """Take what is repeated from now on.

        Args:
            policy: of the rows that are asked for next.
            module: weights of the method's own module.
            reference: of the same rows; where none is given, the one before stays.
        """
        self._speaking.heard = policy
        if reference is not None:
            self._speaking_reference.heard = reference
        if self._played is not None:
            self._played.weights = dict(module)

    def run_reference(self, batch: Batch) -> Prediction:
        """The reference's pass over these rows, without gradient."""
        return self._forward.run_reference(self._speaking_reference.as_model, batch)

    def run(self, batch: Batch, before: Reading, reference: Prediction | None) -> Forward:
        """The policy's pass over these rows; see ``ForwardPass.run``."""
        return self._forward.run(self._speaking.as_model, batch, before, reference)

    @property
    def notes(self) -> tuple[Any, dict[str, Tensor]] | None:
        """What the method remembers, as JSON and tensors; None where that cannot be written."""
        tensors: dict[int, Tensor] = {}
        try:
            told = describe(self._hooks.memory, self._opened, tensors)
        except Unwritable:
            return None
        return told, {str(number): value for number, value in enumerate(tensors.values())}

    def recall_notes(self, told: Any, tensors: dict[str, Tensor]) -> None:
        """Let the method remember what ``notes`` told."""
        placed = {name: value.to(self.policy.device) for name, value in tensors.items()}
        self._hooks.memory = rebuild(told, self._opened, placed)


class _Voice:
    """In a model's place: repeats what was heard of the rows that it is called with."""

    heard: Heard

    def __init__(self, model: PreTrainedModel) -> None:
        self.generation_config = model.generation_config

    @property
    def as_model(self) -> Any:
        """To be called as one."""
        return self

    def __call__(self, input_ids: Tensor, **_: Any) -> Heard:
        """The logits and states of these rows, in the order in which the stack had them."""
        return self.heard.of(*input_ids.shape)


class _Played(nn.Module):
    """The method's own module under weights that lie in the stack."""

    def __init__(self, own: nn.Module) -> None:
        super().__init__()
        self._own = own
        self.weights: dict[str, Tensor] = {}

    def forward(self, states: HiddenStates) -> Tensor:
        outputs: Tensor = torch.func.functional_call(self._own, self.weights, (states,))
        return outputs
