"""The pairs family: a loss over preference pairs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from overopt.methods.contract.reading import Reading


class Revisions(NamedTuple):
    """Both responses of B pairs, (B, T), each read after the prompt and an answer to be revised.

    The prompt form is ``prompt | answer | separator``; reference_logp is of the same form.
    """

    chosen_of_rejected: Reading
    rejected_of_rejected: Reading
    chosen_of_chosen: Reading
    rejected_of_chosen: Reading


class PairBatch(NamedTuple):
    """B preference pairs: the responses that were preferred, (B, T), and those that were not.

    With ``step_pairs`` they are steps of responses, each after a prompt and the steps before it.

    mismatched: (2 B, T), without gradient: the chosen responses, then the rejected ones, each read
        after the prompt of the pair before it (``mismatched``); None unless asked for.
    revisions: with gradient (``revisions``); None unless asked for.
    reference_score: (B, N), the proxy's score, in SDs of the initial policy, of as many of its
        samples to each pair's prompt, which stay the same (``reference_scores``).
    listed: (B, 2 + N, T), the chosen response, the rejected one, and N samples of the initial
        policy to the same prompt, which stay the same, with gradient and ``score`` (``listed``).
    degraded: (2 B, T), the chosen responses, then the rejected ones, each without some of its least
        expected tokens, with gradient; ``label`` is the degree, from 0 (all are there) to one less
        than ``Config.degrees`` (``degraded``).
    memory: what the method remembers, of a method with ``observe_pairs``.
    """

    chosen: Reading
    rejected: Reading
    mismatched: Reading | None = None
    revisions: Revisions | None = None
    reference_score: Tensor | None = None
    listed: Reading | None = None
    degraded: Reading | None = None
    memory: Any = None

    @classmethod
    def of(cls, sides: Iterable[Reading]) -> PairBatch:
        """Pairs and nothing beside, of two readings: the chosen responses, then the rejected."""
        chosen, rejected = sides
        return cls(chosen, rejected)


class PairsMethod(Protocol):
    """The functions of a method that learns from preference pairs."""

    __name__: str
    Config: Any

    def loss(self, config: Any, batch: PairBatch, /) -> Tensor:
        """Loss of each pair, shape (B,); the engine descends their mean.

        Where it depends on the other pairs of the batch, INPUTS names ``random_batches``.
        """
        ...
