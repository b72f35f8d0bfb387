"""The merge family: policies made of trained ones, by their weights or token by token.

A method supplies ``merge``, or ``compose`` (``contract.composition``). One whose runs may start
from what was merged before supplies ``draw_back(config, initial, merged, knob) -> Weights`` too:
the policy of the last iteration, drawn toward the initial policy of the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from overopt.methods.contract.training import Weights


class MergeMethod(Protocol):
    """A method that merges trained policies; its members' functions stand beside its own."""

    __name__: str
    Config: Any


class WeightMerge(MergeMethod, Protocol):
    """A method that merges weights."""

    def merge(
        self, config: Any, initial: Weights, trained: Sequence[Weights], knob: float, /
    ) -> Weights:
        """The merged policy at this knob; knob 0 would be the initial policy."""
        ...
