"""The rollout family: advantages and a loss over fresh, rewarded samples."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout


class RolloutStep(NamedTuple):
    """One gradient step on a rollout.

    rollout: the samples as they were drawn.
    now: the same responses, (B, N, T), as the policy reads them now, with gradient.
    advantage: of each response (B, N) or of each token (B, N, T).
    opponents: the opponents' responses in the same way as ``now`` (``opponents_now``).
    """

    rollout: Rollout
    now: Reading
    advantage: Tensor
    opponents: Reading | None = None

    @property
    def advantage_BNT(self) -> Tensor:
        """Advantage of each token; a sequence's advantage is shared by its tokens."""
        if self.advantage.dim() == self.now.mask.dim():
            return self.advantage
        return self.advantage.unsqueeze(-1).expand_as(self.now.mask)


class RolloutMethod(Protocol):
    """The functions of a method that learns from its own fresh, rewarded samples."""

    __name__: str
    Config: Any

    def advantages(self, config: Any, rollout: Rollout, /) -> Tensor:
        """Advantage of each response (B, N) or of each token (B, N, T), without gradient."""
        ...

    def loss(self, config: Any, step: RolloutStep, /) -> Tensor:
        """Loss of each response, shape (B, N); the engine descends their mean."""
        ...
