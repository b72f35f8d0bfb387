"""Worlds whose responses end with an answer, which is read from the tokens alone.

Whether it is right is the gold's knowledge, and is no part of this.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from overopt.errors import UserError
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens


@runtime_checkable
class Answering(Protocol):
    """What a world has besides whose responses end with an answer."""

    def answers(self, responses: Tokens) -> npt.NDArray[np.int64]:
        """A number (N,) for each response's answer, the same for equal ones; -1 for none."""
        ...


def answering(world: World) -> Answering:
    """The world as one of answers.

    Raises:
        UserError: its responses have none.
    """
    if not isinstance(world, Answering):
        raise UserError(
            "answers are asked for in a world whose responses have none; use --task arithmetic"
        )
    return world
