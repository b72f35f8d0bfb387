"""The pairs family: a loss over preference pairs."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor

from overopt.methods.contract.reading import Reading


class PairBatch(NamedTuple):
    """B preference pairs: the responses that were preferred, (B, T), and those that were not.

    mismatched: (2 B, T), without gradient: the chosen responses, then the rejected ones, each read
        after the prompt of the pair before it (``mismatched``); None unless asked for.
    """

    chosen: Reading
    rejected: Reading
    mismatched: Reading | None = None


class PairsMethod(Protocol):
    """The functions of a method that learns from preference pairs."""

    __name__: str
    Config: Any

    def loss(self, config: Any, batch: PairBatch, /) -> Tensor:
        """Loss of each pair, shape (B,); the engine descends their mean."""
        ...
