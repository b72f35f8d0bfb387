"""Opens the gold reward of a ``gold`` artifact; methods and proxies have no way to reach one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.tables import read_json
from overopt.models.hub import ClassifierGold
from overopt.models.reward import load_reward, score
from overopt.spec.origins import ReaderOrigin
from overopt.worlds.contract import World
from overopt.worlds.hub.world import HubWorld
from overopt.worlds.tokens import Tokens

Gold = Callable[[Tokens, Tokens], npt.NDArray[np.float64]]
"""Raw gold score (N,) of each response to the prompt of the same row."""


def load_gold(folder: Path, world: World) -> Gold:
    """The gold that a ``gold`` artifact holds."""
    record = read_json(folder / "gold.json")
    if record["kind"] == "rule":
        return world.gold
    if record["kind"] == "classifier":
        assert isinstance(world, HubWorld)
        return ClassifierGold(ReaderOrigin.model_validate(record["classifier"]), world)
    model = load_reward(folder / "model")
    return lambda prompts, responses: score(model, prompts, responses)
