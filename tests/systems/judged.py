"""Judged: a policy that its own loss trains on comparisons, scored by its log-ratio.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import ReadBatch
from overopt.proxies.contract.policies import PolicyReading
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(1, help="policies", at_least=1)
    beta: float = param(0.5, help="scale of the log-ratio", above=0.0)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry on scores."""
    return -logsigmoid(batch.chosen_P - batch.rejected_P)


def score(config: Config, reading: PolicyReading) -> Tensor:
    """Summed log-ratio, (N,)."""
    return config.beta * (reading.policy_logp_NT - reading.reference_logp_NT).sum(-1)
