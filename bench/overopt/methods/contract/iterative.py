"""The iterative family: data built from fresh samples, then a loss over it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor

from overopt.methods.contract.rollout import Rollout


class SampleBatch(NamedTuple):
    """B responses to learn from by likelihood; tensors and options as in ``PairBatch``."""

    policy_logp_BT: Tensor
    reference_logp_BT: Tensor
    mask_BT: Tensor
    forward_kl_BT: Tensor | None = None
    output_BTC: Tensor | None = None


class KeptRows(NamedTuple):
    """Samples to learn from by likelihood: rows b * N + n of a rollout, shape (K,)."""

    row_K: Tensor


class RowPairs(NamedTuple):
    """Preference pairs among the samples: rows b * N + n of a rollout, shape (P,) each."""

    chosen_P: Tensor
    rejected_P: Tensor


class IterativeMethod(Protocol):
    """The functions of a method that turns fresh samples into data, round after round."""

    __name__: str
    Config: Any

    def build(self, config: Any, rollout: Rollout, /) -> KeptRows | RowPairs:
        """The data of a round, out of its samples; no rows at all is allowed."""
        ...

    def loss(self, config: Any, batch: Any, /) -> Tensor:
        """Loss of each kept sample (``SampleBatch``) or pair (``PairBatch``), shape (B,)."""
        ...
