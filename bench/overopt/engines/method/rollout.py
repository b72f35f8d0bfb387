"""An opened method of the rollout family."""

from __future__ import annotations

from torch import Tensor

from overopt.engines.method.training import OpenedTraining
from overopt.methods.contract.rollout import RolloutMethod, RolloutStep
from overopt.methods.contract.samples import Rollout


class OpenedRollout(OpenedTraining[RolloutMethod]):
    """A method that learns from its own fresh, rewarded samples."""

    def advantages(self, rollout: Rollout) -> Tensor:
        """Advantage of each response (B, N) or of each token (B, N, T)."""
        return self._functions.advantages(self._config, rollout)

    def loss(self, step: RolloutStep) -> Tensor:
        """Loss of each response, shape (B, N)."""
        return self._functions.loss(self._config, step)
