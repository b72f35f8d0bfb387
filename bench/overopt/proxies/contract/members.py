"""What a system may say of each member's training, and of the weights of all that it trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from overopt.proxies.contract import ProxySystem

Weights = Mapping[str, Tensor]
"""Parameters of a reward model by name, its head's among them, without gradient."""


class MemberTraining(NamedTuple):
    """How a member departs from the task's training of proxies.

    rate: learning rate relative to the task's, above 0.
    dropout: chance that a dropout layer of the model drops an activation in training.
    """

    rate: float = 1.0
    dropout: float = 0.0


class Varies(ProxySystem, Protocol):
    """A module whose members are not trained alike."""

    def vary(self, config: Any, member: int, /) -> MemberTraining:
        """The training of a member, counted from 0."""
        ...


class Merges(ProxySystem, Protocol):
    """A module that merges its members into one reward model."""

    def merge(self, config: Any, weights: Sequence[Weights], /) -> Weights:
        """Weights of the one that scores, of the same names and shapes, from those of M members.

        The members' scores are in units of their own; those of the merged model are brought to
        mean 0 and SD 1 under the initial policy.
        """
        ...
