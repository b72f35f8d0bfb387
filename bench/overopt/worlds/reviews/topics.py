"""Groups of prompts of a reviews world: the topic that they ask for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.worlds.contract import World
from overopt.worlds.reviews.lexicon import TOPICS_OF_WORLD, Role
from overopt.worlds.reviews.rule import read_wish
from overopt.worlds.reviews.world import Reviews
from overopt.worlds.tokens import Tokens

CATEGORIES = TOPICS_OF_WORLD


def categorize(world: World, prompts: Tokens) -> npt.NDArray[np.int64]:
    """The topic of each prompt, (N,), from 0 to below ``CATEGORIES``, in the lexicon's order."""
    assert isinstance(world, Reviews)
    topic_N = read_wish(world.rule.role_V, prompts)[:, 0]
    return np.searchsorted(np.sort(world.lexicon.of(Role.TOPIC)), topic_N).astype(np.int64)
