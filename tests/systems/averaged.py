"""Averaged: two members from one start, told apart by rate and dropout, averaged.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from overopt.proxies.contract.members import MemberTraining, Weights
from overopt.spec.declare import param

START = "probed"


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(2, help="reward models", at_least=1)
    rate: float = param(1.0, help="of all members", above=0.0)
    dropout: float = param(0.0, help="of all members", at_least=0.0)


def vary(config: Config, member: int) -> MemberTraining:
    """The same for all."""
    return MemberTraining(config.rate, config.dropout)


def merge(config: Config, weights: Sequence[Weights]) -> Weights:
    """The mean."""
    total = dict(weights[0])
    for one in weights[1:]:
        total = {name: value + one[name] for name, value in total.items()}
    return {name: value / len(weights) for name, value in total.items()}
