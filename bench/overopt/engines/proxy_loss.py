"""A reward-side system's own loss, opened once."""

from __future__ import annotations

from torch import Tensor

from overopt.engines.method.opened import Opened
from overopt.proxies.contract.training import HasLoss, RewardBatch


class OpenedLoss(Opened[HasLoss]):
    """Trains its members by its own mathematics."""

    def loss(self, batch: RewardBatch) -> Tensor:
        """Loss of each comparison, (P,).

        Raises:
            ValueError: it has another shape.
        """
        loss_P = self._functions.loss(self._config, batch)
        if loss_P.shape != batch.chosen_P.shape:
            raise ValueError(
                f"{self.name}: loss has shape {tuple(loss_P.shape)} for "
                f"{len(batch.chosen_P)} comparisons; it must be one number for each"
            )
        return loss_P
