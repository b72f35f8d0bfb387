"""The pairs family: a loss over preference pairs."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor


class PairBatch(NamedTuple):
    """B preference pairs: log-probabilities of each response token under policy and reference.

    Every tensor is float32 (B, T), zero where the mask is zero; gradients flow through the
    policy's log-probabilities, its KL and the module's outputs only. Optional:

    *_forward_kl_BT: KL(pi_ref || pi) of the next token along the response (``forward_kl``), nats.
    *_output_BTC: outputs of the method's module.
    """

    policy_chosen_logp_BT: Tensor
    policy_rejected_logp_BT: Tensor
    reference_chosen_logp_BT: Tensor
    reference_rejected_logp_BT: Tensor
    chosen_mask_BT: Tensor
    rejected_mask_BT: Tensor
    chosen_forward_kl_BT: Tensor | None = None
    rejected_forward_kl_BT: Tensor | None = None
    chosen_output_BTC: Tensor | None = None
    rejected_output_BTC: Tensor | None = None

    @property
    def chosen_log_ratio_B(self) -> Tensor:
        """r_w = log pi(y_w|x) - log pi_ref(y_w|x), summed over tokens, nats."""
        return (self.policy_chosen_logp_BT - self.reference_chosen_logp_BT).sum(-1)

    @property
    def rejected_log_ratio_B(self) -> Tensor:
        """r_l = log pi(y_l|x) - log pi_ref(y_l|x), summed over tokens, nats."""
        return (self.policy_rejected_logp_BT - self.reference_rejected_logp_BT).sum(-1)


class PairsMethod(Protocol):
    """The functions of a method that learns from preference pairs."""

    __name__: str
    Config: Any

    def loss(self, config: Any, batch: PairBatch, /) -> Tensor:
        """Loss of each pair, shape (B,); the engine descends their mean."""
        ...
