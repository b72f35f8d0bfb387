"""A KL probe that costs nothing, for runs that have no budgets to meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from transformers import PreTrainedModel


@dataclass(frozen=True)
class FixedProbe:
    """Says the same KL of every policy, nats."""

    kl_nats: float

    def __call__(self, policy: PreTrainedModel, reference: PreTrainedModel, /) -> float:
        return self.kl_nats

    def of_weights(self, reference: PreTrainedModel, /) -> Callable[[Mapping[str, Tensor]], float]:
        return lambda state: self.kl_nats
