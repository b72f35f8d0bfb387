"""Worlds whose responses are made of steps: where steps end, and what is true of each.

Where a step ends is read from tokens alone, and anybody may ask. What is true of a step is the
gold's knowledge: it is there for evaluation, and for labels of systems that declare their use.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from overopt.errors import UserError
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens

Flags = npt.NDArray[np.bool_]


class StepTruth(NamedTuple):
    """What is true of the steps of N responses; False wherever no step ends.

    correct_NT: whether the step that ends here is right in itself.
    progress_NT: whether it is right and brings the solution nearer to its end.
    """

    correct_NT: Flags
    progress_NT: Flags


@runtime_checkable
class Stepwise(Protocol):
    """What a world has besides whose responses are made of steps."""

    def step_ends(self, responses: Tokens) -> Flags:
        """True at the last token of each step, (N, T), from the tokens alone.

        A response that is not empty has at least one step: its last token ends its last one.
        """
        ...

    def step_truth(self, prompts: Tokens, responses: Tokens) -> StepTruth:
        """What is true of each step. For evaluation, and for labels that are asked for as such."""
        ...


def stepwise(world: World) -> Stepwise:
    """The world as one of steps.

    Raises:
        UserError: its responses have no steps.
    """
    if not isinstance(world, Stepwise):
        raise UserError(
            "steps are asked for in a world whose responses have none; use --task arithmetic"
        )
    return world
