"""What a flawed labeler of a tabular world is blind to, and what it takes for praise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.worlds.contract import World
from overopt.worlds.tabular.rule import FIRST_WORD
from overopt.worlds.tokens import Tokens

BLIND_SPOT = "repetition"


def praise(world: World, responses: Tokens) -> npt.NDArray[np.float64]:
    """How often each response says the first word of the language, its word of praise, (N,)."""
    said_NT = (responses.ids_NT == FIRST_WORD) & responses.mask_NT
    return said_NT.sum(axis=1).astype(np.float64)
