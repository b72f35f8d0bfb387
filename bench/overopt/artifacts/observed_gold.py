"""Gold for a run whose method observes it, and declares that use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.gold import load_gold
from overopt.artifacts.tables import read_json
from overopt.engines.contract import Reward
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens


def open_observed(inputs: dict[str, Path], world: World) -> Reward:
    """Gold of responses in SDs of the initial policy, by the roles ``observed.*`` of a run."""
    gold = load_gold(inputs["observed.gold"], world)
    sd = float(read_json(inputs["observed.pool"] / "summary.json")["gold_sd"])

    def scaled(prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        gold_N = np.asarray(gold(prompts, responses), np.float64) / sd
        if not np.isfinite(gold_N).all():
            raise FloatingPointError("gold of a sample is not finite")
        return gold_N

    return scaled
