"""A policy and its reference, read together."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.models.logprobs import response_logps
from overopt.models.sequences import Batch


class PairReading(NamedTuple):
    """Log-probabilities of B responses' tokens, float64 (B, T), nats, 0 on padding; and the mask.

    mask_BT: True on the responses' tokens.
    """

    policy_logp_BT: Tensor
    reference_logp_BT: Tensor
    mask_BT: Tensor


class PolicyPair(nn.Module):
    """Two causal language models of one vocabulary."""

    def __init__(self, policy: PreTrainedModel, reference: PreTrainedModel) -> None:
        super().__init__()
        self.policy, self.reference = policy, reference

    @property
    def device(self) -> torch.device:
        """Where the policy lies."""
        device: torch.device = self.policy.device
        return device

    def read(self, batch: Batch) -> PairReading:
        """Both models' log-probabilities of joined rows."""
        policy_BT, reference_BT = (
            response_logps(model, batch).double() for model in (self.policy, self.reference)
        )
        return PairReading(policy_BT, reference_BT, batch.mask_BT)
