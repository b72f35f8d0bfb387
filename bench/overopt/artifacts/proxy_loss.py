"""Opens the loss that a reward-side system trains its members by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor

from overopt.artifacts.own_file import locate_own
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.loss import OpenedLoss
from overopt.proxies.contract.training import FreshBatch, RewardBatch
from overopt.spec.system import ProxySystemSpec


class FreshLoss(Protocol):
    """A loss that may be told which comparisons are of the policy in training."""

    def __call__(
        self, chosen_P: Tensor, rejected_P: Tensor, fresh_P: Tensor | None = None, /
    ) -> Tensor:
        """Loss (P,) of each comparison."""
        ...


def open_loss(inputs: Mapping[str, Path], system: Mapping[str, object]) -> FreshLoss:
    """The loss of a system, by the JSON of its specification."""
    spec = ProxySystemSpec.model_validate(system)
    opened = open_as(OpenedLoss, locate_own(spec, inputs))

    def loss(chosen_P: Tensor, rejected_P: Tensor, fresh_P: Tensor | None = None, /) -> Tensor:
        if spec.refits:
            return opened.loss(FreshBatch(chosen_P, rejected_P, fresh_P))
        return opened.loss(RewardBatch(chosen_P, rejected_P))

    return loss
