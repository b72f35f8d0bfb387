"""Reads the preference data of a ``labels`` artifact."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.artifacts.tables import Table
from overopt.worlds.contract import World
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import concatenate


class LabeledPairs(NamedTuple):
    """P labeled pairs of one file of a ``labels`` artifact.

    agrees_P: whether the label agrees with the gold (ties agree); for reports, never for training.
    """

    preferences: Preferences
    agrees_P: npt.NDArray[np.bool_]


def load_preferences(folder: Path, world: World, name: str = "labels") -> LabeledPairs:
    """The preference data (``labels``) or the noiseless held-out pairs (``heldout``)."""
    table = Table(folder / f"{name}.parquet")
    first_P = table.integers("a_preferred").astype(bool)
    pairs = len(first_P)
    both = concatenate([table.tokens("a"), table.tokens("b")])
    row_P = np.arange(pairs)
    preferences = Preferences(
        world.train_prompts.take(table.integers("prompt_id")),
        both.take(np.where(first_P, row_P, row_P + pairs)),
        both.take(np.where(first_P, row_P + pairs, row_P)),
    )
    return LabeledPairs(preferences, ~table.integers("flipped").astype(bool))
