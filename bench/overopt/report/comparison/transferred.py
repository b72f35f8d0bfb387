"""Reward-side systems in two results folders, side by side."""

from __future__ import annotations

from typing import NamedTuple

from overopt.stats.arrays import Floats
from overopt.stats.comparisons.rank_transfer import RankCorrelation


class System(NamedTuple):
    """A reward-side system in both places: gold at the KL that is read, each seed's."""

    proxy: str
    here_S: Floats
    there_T: Floats


class Transfer(NamedTuple):
    """The systems of one method and noise in two tasks.

    here, there: names of the tasks. kl_here_nats, kl_there_nats: where gold is read.
    left_out: systems that only one of the folders has.
    """

    method: str
    noise: str
    here: str
    there: str
    kl_here_nats: float
    kl_there_nats: float
    systems: tuple[System, ...]
    left_out: tuple[str, ...]
    correlation: RankCorrelation
