"""Whether responses of an arithmetic world end with the right answer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens


def judge(world: World, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.bool_]:
    """True where a response says the right answer, (N,), however it comes to it."""
    right_N = world.gold_terms(prompts, responses)["answer"] > 0
    return np.asarray(right_N, np.bool_)
