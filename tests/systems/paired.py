"""Paired: a policy by DPO against the initial policy after a share of its examples.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.proxies.contract.policies import PolicyReading
from overopt.spec.declare import param

POLICY = "dpo"
REFERENCE = "share"


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(2, help="policies", at_least=1)
    beta: float = param(0.3, help="of DPO", above=0.0)
    share: float = param(0.5, help="of the reference's examples", above=0.0, at_most=1.0)


def score(config: Config, reading: PolicyReading) -> Tensor:
    """Summed log-ratio, (N,)."""
    return (reading.policy_logp_NT - reading.reference_logp_NT).sum(-1)
