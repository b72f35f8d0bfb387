"""Kinds of prompts of a reviews world: the tone that they ask for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.worlds.contract import World
from overopt.worlds.reviews.lexicon import TONES
from overopt.worlds.reviews.rule import read_wish
from overopt.worlds.reviews.world import Reviews
from overopt.worlds.tokens import Tokens

CATEGORIES = len(TONES)


def categorize(world: World, prompts: Tokens) -> npt.NDArray[np.int64]:
    """The kind of each prompt, (N,), from 0 to below ``CATEGORIES``: from scathing to glowing."""
    assert isinstance(world, Reviews)
    tone_N = read_wish(world.rule.role_V, prompts)[:, 3]
    return world.rule.tone_V[tone_N].astype(np.int64) + CATEGORIES // 2
