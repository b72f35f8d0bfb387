"""Gold as the reward of a run: only twins, which are optimized against gold, are handed it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.gold import load_gold
from overopt.artifacts.tables import read_json
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens


class GoldReward:
    """Gold in SDs of the initial policy around its mean, as a proxy's scores are.

    Args:
        gold: folder of the gold.
        pool: folder of the initial policy's pool, which scales it.
        world: of the run.
    """

    def __init__(self, gold: Path, pool: Path, world: World) -> None:
        self._gold = load_gold(gold, world)
        summary = read_json(pool / "summary.json")
        self._mean, self._sd = float(summary["gold_mean"]), float(summary["gold_sd"])

    def __call__(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Reward (N,) of each response.

        Raises:
            FloatingPointError: gold is not finite.
        """
        gold_N = np.asarray(self._gold(prompts, responses), np.float64)
        if not np.isfinite(gold_N).all():
            raise FloatingPointError("gold of a sample is not finite")
        return (gold_N - self._mean) / self._sd

    def members(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Gold as the only member of a proxy, (1, N)."""
        return self(prompts, responses)[None]
