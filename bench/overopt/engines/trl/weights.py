"""The policy's weights inside TRL's trainer: its reference, its copies, its adapters."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from accelerate.utils import is_peft_model
from torch import Tensor
from transformers import PreTrainedModel


class Unadapted:
    """A policy with its adapters switched off: the reference, without a second copy in memory."""

    def __init__(self, policy: Any) -> None:
        self._policy = policy

    def __call__(self, *args: Any, **given: Any) -> Any:
        with self._policy.disable_adapter():
            return self._policy(*args, **given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)

    def to(self, device: Any) -> Unadapted:
        """The policy is where it is."""
        return self


def reference_of(trainer: Any, reference: PreTrainedModel) -> Any:
    """The reference to compare with, in the precision of the policy.

    A policy with adapters is its own reference without them.
    """
    if is_peft_model(trainer.model):
        return Unadapted(trainer.model)
    return trainer.accelerator.prepare_model(reference, device_placement=True, evaluation_mode=True)


def another(trainer: Any, model: PreTrainedModel) -> PreTrainedModel:
    """A model of the same kind with weights yet to be set, in the precision of the policy.

    It is built anew: a copy of what accelerate has prepared would run the original.
    """
    made = type(model)(copy.deepcopy(model.config)).to(model.dtype)
    made.generation_config = copy.deepcopy(model.generation_config)
    prepared: PreTrainedModel = trainer.accelerator.prepare_model(
        made.eval(), device_placement=True, evaluation_mode=True
    )
    return prepared


class Merged(Mapping[str, Tensor]):
    """Full weights of a policy whose adapters had some value, merged when they are looked at.

    So that no more than one full copy exists at a time, nothing is remembered: take ``items``.
    """

    def __init__(self, policy: Any, adapter: Mapping[str, Tensor]) -> None:
        self._policy, self._adapter = policy, adapter
        self._names = tuple(_unadapted_names(policy))

    def __getitem__(self, name: str) -> Tensor:
        return self._weights()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def items(self) -> Any:
        """All weights at once, merged a single time."""
        return self._weights().items()

    def _weights(self) -> dict[str, Tensor]:
        from peft import set_peft_model_state_dict

        model = copy.deepcopy(self._policy)
        set_peft_model_state_dict(model, dict(self._adapter))
        merged = model.merge_and_unload()
        return {name: value.detach().cpu() for name, value in merged.state_dict().items()}


def _unadapted_names(policy: Any) -> list[str]:
    names = [name.removeprefix("base_model.model.") for name in policy.state_dict()]
    return [name.replace(".base_layer", "") for name in names if ".lora_" not in name]


class Gathered:
    """A policy as ``KLWalk`` looks at it: gathered from all processes, adapters alone if any.

    Only the first process, which writes the result, holds copies.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def state_dict(self) -> dict[str, Any]:
        """The weights on the first process; nothing on the others."""
        weights = self._gather()
        return weights if self._trainer.accelerator.is_main_process else {}

    def _gather(self) -> dict[str, Any]:
        trainer = self._trainer
        if is_peft_model(trainer.model):
            from peft import get_peft_model_state_dict

            adapter: dict[str, Any] = get_peft_model_state_dict(trainer.model)
            return adapter
        weights: dict[str, Any] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
        return weights
