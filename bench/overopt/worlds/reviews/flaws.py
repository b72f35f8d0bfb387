"""What a flawed labeler of reviews is blind to, and what it takes for praise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.worlds.contract import World
from overopt.worlds.reviews.world import Reviews
from overopt.worlds.tokens import Tokens

BLIND_SPOT = "repetition"


def praise(world: World, responses: Tokens) -> npt.NDArray[np.float64]:
    """Liking that the words of each response express, whatever was asked for, (N,)."""
    assert isinstance(world, Reviews)
    valence_V = np.maximum(world.rule.valence_V, 0)
    said_N: npt.NDArray[np.float64] = np.where(
        responses.mask_NT, valence_V[responses.ids_NT], 0.0
    ).sum(axis=1)
    return said_N
