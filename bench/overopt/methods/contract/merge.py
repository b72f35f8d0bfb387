"""The merge family: operations on trained weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from overopt.methods.contract.training import Weights


class MergeMethod(Protocol):
    """The functions of a method that merges trained policies; its members' functions beside."""

    __name__: str
    Config: Any

    def merge(
        self, config: Any, initial: Weights, trained: Sequence[Weights], knob: float
    ) -> Weights:
        """The merged policy at this knob; knob 0 would be the initial policy."""
        ...
