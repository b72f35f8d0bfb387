"""A reward-side system's own loss, opened once."""

from __future__ import annotations

from torch import Tensor

from overopt.engines.method.opened import Opened
from overopt.proxies.contract.training import FreshBatch, HasLoss, RewardBatch


class OpenedLoss(Opened[HasLoss]):
    """Trains its members by its own mathematics."""

    def loss(self, batch: RewardBatch | FreshBatch) -> Tensor:
        """Loss of each comparison, (P,).

        Raises:
            ValueError: it has another shape.
        """
        loss_P = self._functions.loss(self._config, batch)
        return check_loss(self.name, loss_P, len(batch.chosen_P))


def check_loss(name: str, loss_P: Tensor, comparisons: int) -> Tensor:
    """The loss of a system, or a ValueError where it is not one number for each comparison."""
    if tuple(loss_P.shape) != (comparisons,):
        raise ValueError(
            f"{name}: loss has shape {tuple(loss_P.shape)} for {comparisons} comparisons; it must "
            "be one number for each"
        )
    return loss_P
