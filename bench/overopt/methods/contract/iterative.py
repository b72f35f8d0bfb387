"""The iterative family: data built from fresh samples, then a loss over it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout


class KeptRows(NamedTuple):
    """Responses to learn from by likelihood: rows of a rollout, shape (K,).

    row_K: sample n of prompt b is row b * N + n, as ``Rollout.row_BN`` says; opponents' and
        demonstrations' rows are ``opponent_row_BM`` and ``demonstration_row_B``.

    weight_K, label_K: numbers for each, which ``weight`` and ``label`` of ``Reading`` hand to the
        loss.
    control_K: bool, the rows to read after the control token, which takes the place of the
        prompt's first token; the policy is sampled and measured without it.
    """

    row_K: Tensor
    weight_K: Tensor | None = None
    control_K: Tensor | None = None
    label_K: Tensor | None = None


class RowPairs(NamedTuple):
    """Preference pairs among the responses: rows of a rollout as in ``KeptRows``, (P,) each.

    label_P: a number for each, such as the chance that the label is right, which ``label`` of both
        readings hands to the loss.
    chosen_control_P, rejected_control_P: bool, the rows of a side to read after the control token,
        as in ``KeptRows``; so a pair may be of one response under both controls.
    """

    chosen_P: Tensor
    rejected_P: Tensor
    label_P: Tensor | None = None
    chosen_control_P: Tensor | None = None
    rejected_control_P: Tensor | None = None


class SamplePairs(NamedTuple):
    """B preference pairs among the responses: what ``RowPairs`` has named, (B, T) each."""

    chosen: Reading
    rejected: Reading


class IterativeMethod(Protocol):
    """The functions of a method that turns fresh samples into data, round after round."""

    __name__: str
    Config: Any

    def build(self, config: Any, rollout: Rollout, /) -> KeptRows | RowPairs:
        """The data of a round, out of its samples; no rows at all is allowed."""
        ...

    def loss(self, config: Any, batch: Any, /) -> Tensor:
        """Loss of each kept sample (of a ``Reading``) or pair (of ``SamplePairs``), shape (B,)."""
        ...
