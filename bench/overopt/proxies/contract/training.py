"""What a reward-side system with a loss of its own is handed, and what it returns."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor

from overopt.proxies.contract import ProxySystem


class RewardBatch(NamedTuple):
    """Raw rewards of P comparisons as the model in training gives them, differentiable.

    chosen_P, rejected_P: float32 (P,), in the model's own units; only differences mean anything.
    """

    chosen_P: Tensor
    rejected_P: Tensor


class FreshBatch(NamedTuple):
    """A ``RewardBatch`` of a system with ``refit``, whose loss may ask where comparisons are from.

    fresh_P: bool (P,), True where both responses are of the policy that is being optimized; None
        before the run.
    """

    chosen_P: Tensor
    rejected_P: Tensor
    fresh_P: Tensor | None = None


class HasLoss(ProxySystem, Protocol):
    """A module that trains its members by its own loss."""

    def loss(self, config: Any, batch: Any, /) -> Tensor:
        """Loss of each comparison, (P,), of a ``RewardBatch``; its mean is minimized."""
        ...
