"""Rewards by which steps are timed: reward models of the task's size that have learned nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.engines.stacked.rewards import ModelReward
from overopt.models.rewards.reward import score
from overopt.models.starts.scratch import start_reward
from overopt.spec.training import ArchitectureSpec
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens


def untrained_reward(architecture: ArchitectureSpec, world: World, seed: int) -> ModelReward:
    """The reward of a single proxy of this size."""
    model = start_reward(architecture, world, seed)[0].eval()

    def combine(raw_KN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(raw_KN[0], np.float64)

    def alone(prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        return score(model, prompts, responses)

    return ModelReward([model], combine, alone)
