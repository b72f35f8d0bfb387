"""Opens the loss that a reward-side system trains its members by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from overopt.artifacts.own_file import locate_own
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.loss import OpenedLoss
from overopt.models.rewards.reward_fitting import RewardLoss
from overopt.proxies.contract.training import RewardBatch
from overopt.spec.system import ProxySystemSpec


def open_loss(inputs: Mapping[str, Path], system: Mapping[str, object]) -> RewardLoss:
    """The loss of a system, by the JSON of its specification."""
    opened = open_as(OpenedLoss, locate_own(ProxySystemSpec.model_validate(system), inputs))

    def loss(chosen_P: Tensor, rejected_P: Tensor) -> Tensor:
        return opened.loss(RewardBatch(chosen_P, rejected_P))

    return loss
