"""Reward models that are trained again while a policy is optimized against them."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from overopt.proxies.contract import ProxySystem


class Refit(NamedTuple):
    """When members are trained again, from where they started and for the task's epochs.

    every: rollouts from one time to the next.
    pairs: comparisons of fresh samples that gold labels each time, at most; through the run's
        noise. They join the preference data and those of earlier times.
    """

    every: int
    pairs: int


class Refits(ProxySystem, Protocol):
    """A module whose members follow the policy."""

    def refit(self, config: Any, /) -> Refit:
        """When and how. Gold is asked during the run, which USES_GOLD has to say.

        A loss beside it finds in ``training.FreshBatch.fresh_P`` which comparisons are fresh.
        """
        ...
