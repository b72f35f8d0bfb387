"""Reward-side systems, resolved."""

from __future__ import annotations

import operator

from pydantic import Field

from overopt.spec.sourced import SourcedSpec


class ProxySystemSpec(SourcedSpec):
    """A reward-side system resolved: how many members it has is a field of its ``Config``.

    own_loss: whether it trains its members by a loss of its own, and so shares them with no other.
    """

    own_loss: bool = Field(default=False, exclude_if=operator.not_)

    @property
    def members(self) -> int:
        """How many reward models of different seeds it combines."""
        return int(self.config["members"])
