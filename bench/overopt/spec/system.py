"""Reward-side systems, resolved."""

from __future__ import annotations

import operator
from typing import Literal

from pydantic import Field

from overopt.spec.frozen import absent
from overopt.spec.sourced import SourcedSpec

MemberStart = Literal["policy", "probed"]
"""What the members of a system start from, whatever the task says of its proxies: the initial
policy with a fresh head, or with one head that all share, fitted on the policy's frozen states."""


class ProxySystemSpec(SourcedSpec):
    """A reward-side system resolved: how many members it has is a field of its ``Config``.

    What a system leaves out stands in no JSON, so that it moves no key.

    own_loss: whether it trains its members by a loss of its own, and so shares them with no other.
    start: what its members start from; None: what the task says.
    varies: whether each member departs from the task's training in its own way.
    merges: whether the weights of its members are merged into one reward model.
    """

    own_loss: bool = Field(default=False, exclude_if=operator.not_)
    start: MemberStart | None = Field(default=None, exclude_if=absent)
    varies: bool = Field(default=False, exclude_if=operator.not_)
    merges: bool = Field(default=False, exclude_if=operator.not_)

    @property
    def members(self) -> int:
        """How many reward models of different seeds it trains."""
        return int(self.config["members"])

    @property
    def scored(self) -> int:
        """How many reward models score a response: its members, or the one they are merged into."""
        return 1 if self.merges else self.members

    @property
    def own_training(self) -> bool:
        """Whether its members take more than another loss to train."""
        return self.varies or self.start == "probed"
