"""Preference pairs that the data of a hub world brings along."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.errors import UserError
from overopt.worlds.contract import World
from overopt.worlds.hub.world import HubWorld
from overopt.worlds.tokens import Tokens, concatenate

Columns = dict[str, npt.NDArray[Any] | Tokens]


def draw_pairs(
    world: World, comparisons: int, heldout: int, rng: np.random.Generator
) -> dict[str, Columns]:
    """Pairs of the data, each once: the held-out ones apart, sides in random order.

    Args:
        world: a hub world whose data has pairs.
        comparisons: how many to learn from.
        heldout: how many to hold out.
        rng: decides which, and which side comes first.

    Returns:
        ``pairs`` and ``heldout``: columns prompt_id, a, b and data_prefers_a, one row per pair.

    Raises:
        UserError: there are fewer pairs than are asked for.
    """
    assert isinstance(world, HubWorld)
    known = world.pairs
    if comparisons + heldout > len(known.prompt_id_P):
        raise UserError(
            f"the data has {len(known.prompt_id_P)} pairs of training prompts, not the "
            f"{comparisons} comparisons and {heldout} held-out pairs that are asked for; raise "
            "world.train_prompts, or lower proxy.comparisons or proxy.calibration_samples."
        )
    order = rng.permutation(len(known.prompt_id_P))
    drawn: dict[str, Columns] = {}
    for name, rows in (
        ("pairs", order[:comparisons]),
        ("heldout", order[comparisons : comparisons + heldout]),
    ):
        first_P = rng.random(len(rows)) < 0.5
        both = concatenate([known.chosen.take(rows), known.rejected.take(rows)])
        here = np.arange(len(rows))
        drawn[name] = {
            "prompt_id": known.prompt_id_P[rows],
            "a": both.take(np.where(first_P, here, here + len(rows))),
            "b": both.take(np.where(first_P, here + len(rows), here)),
            "data_prefers_a": first_P,
        }
    return drawn
