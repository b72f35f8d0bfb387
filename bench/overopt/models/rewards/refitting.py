"""Training of reward models once more, from where they started, with fresh comparisons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.execution.code.modules import load
from overopt.models.rewards.reward import rewards, score
from overopt.models.rewards.reward_fitting import RewardTraining, fit_comparisons
from overopt.models.sequences import Index, join
from overopt.models.weights import set_weights, weights_of
from overopt.spec.origins import ModelOrigin
from overopt.spec.proxy import ProxySpec
from overopt.spec.training import TrainingSpec
from overopt.worlds.contract import World
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import concatenate

FreshRewardLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Loss (P,) from the rewards (P,) of both sides, and which comparisons are fresh, bool (P,)."""


def restart(
    spec: ProxySpec, initial: Path | None, world: World, model: PreTrainedModel, seed: int
) -> None:
    """Give a reward model the weights that its training by the task started from; in place.

    Args:
        spec: what reward models of the task start from.
        initial: artifact of the initial policy; needed where they start from it.
        world: of the run.
        model: of the kind that the specification builds.
        seed: of the weights that are drawn: of all, or of the head alone.

    Raises:
        ValueError: they start from the initial policy, and it is not given.
    """
    origin = spec.architecture or spec.base or _of_policy(initial)
    fresh, _ = load("models.starts", spec.start).start_reward(origin, world, seed)
    set_weights(model, weights_of(fresh))


def _of_policy(initial: Path | None) -> ModelOrigin:
    if initial is None:
        raise ValueError("reward models that start from the initial policy need it")
    return ModelOrigin(path=str(initial / "model"))


def train_told_fresh(
    model: PreTrainedModel,
    preferences: Preferences,
    heldout: Preferences,
    old: int,
    loss: FreshRewardLoss,
    training: TrainingSpec,
    rng: np.random.Generator,
) -> RewardTraining:
    """Train by a loss that is told which comparisons are fresh; see ``train_reward``.

    Args:
        model: trained in place.
        preferences: comparisons to learn.
        heldout: comparisons to judge it by.
        old: how many of ``preferences``, the first ones, are not fresh.
        loss: of each comparison.
        training: optimizer, batch size (comparisons) and epochs.
        rng: source of the batches' order.
    """

    def mean_loss(index_B: Index) -> Tensor:
        part = preferences.take(index_B)
        both = concatenate([part.chosen, part.rejected])
        batch = join(concatenate([part.prompts, part.prompts]), both, model.device)
        fresh_B = torch.from_numpy(index_B >= old).to(model.device)
        chosen_B, rejected_B = rewards(model, batch).chunk(2)
        return loss(chosen_B, rejected_B, fresh_B).mean()

    def margins() -> npt.NDArray[np.float64]:
        chosen_P = score(model, heldout.prompts, heldout.chosen)
        return chosen_P - score(model, heldout.prompts, heldout.rejected)

    return fit_comparisons(model, mean_loss, margins, preferences, training, rng)
