"""What a reward-side system with a loss of its own is handed, and what it returns."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor

from overopt.proxies.contract import ProxySystem


class RewardBatch(NamedTuple):
    """Raw rewards of P comparisons as the model in training gives them, differentiable.

    chosen_P, rejected_P: float32 (P,), in the model's own units; only differences mean anything.
    fresh_P: bool (P,), True where both responses are of the policy that is being optimized, of a
        system with ``refit`` in training during a run; None before it.
    """

    chosen_P: Tensor
    rejected_P: Tensor
    fresh_P: Tensor | None = None


class HasLoss(ProxySystem, Protocol):
    """A module that trains its members by its own loss."""

    def loss(self, config: Any, batch: RewardBatch, /) -> Tensor:
        """Loss of each comparison, (P,); its mean is minimized."""
        ...
