"""Reward-side systems, resolved."""

from __future__ import annotations

from overopt.spec.sourced import SourcedSpec


class ProxySystemSpec(SourcedSpec):
    """A reward-side system resolved: how many members it has is a field of its ``Config``."""

    @property
    def members(self) -> int:
        """How many reward models of different seeds it combines."""
        return int(self.config["members"])
