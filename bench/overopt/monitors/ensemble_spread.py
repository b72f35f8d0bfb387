"""Ensemble spread: reward models of the same data disagree more and more about the samples.

Paper: Coste et al. 2023, "Reward Model Ensembles Help Mitigate Overoptimization"
(https://arxiv.org/abs/2310.02743) takes the members' variance off the reward (its equation of UWO).
Here it is watched instead of optimized:
    statistic = s / s_init,   s = mean over samples of SD_i r_i(x, y)
Deviations: the paper proposes no detector. SD with M - 1, so that s does not shrink with few
members. The limit is not tuned; a run whose reward is an ensemble optimizes its members as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from overopt.monitors.contract import Seen
from overopt.spec.declare import param

READS = ("spread",)
ACTS = "alarm"


@dataclass(frozen=True)
class Config:
    """Settings of the ensemble spread."""

    limit: float = param(2.0, help="multiple of the initial spread above which it rings")


def statistic(config: Config, seen: Seen) -> float | None:
    """Spread over that of the initial policy."""
    start, now = seen[0].spread, seen[-1].spread
    return None if not start or now is None else now / start


def reason(config: Config, seen: Seen, value: float) -> str:
    """Name the growth."""
    return f"the members disagree {value:.3g} times as much as on the initial policy's samples"
