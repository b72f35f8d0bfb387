"""Kinds of prompts of a tabular world: the first of their words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.worlds.contract import World
from overopt.worlds.tabular.rule import FIRST_WORD, WORDS, read_prompts
from overopt.worlds.tokens import Tokens

CATEGORIES = WORDS


def categorize(world: World, prompts: Tokens) -> npt.NDArray[np.int64]:
    """The kind of each prompt, (N,), from 0 to below ``CATEGORIES``."""
    return read_prompts(prompts, len(world.vocabulary))[:, 0].astype(np.int64) - FIRST_WORD
