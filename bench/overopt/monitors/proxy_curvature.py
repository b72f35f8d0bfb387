"""Proxy curvature: the proxy gains less and less for the same way along sqrt(KL).

Paper: Gao, Schulman and Hilton 2022, "Scaling Laws for Reward Model Overoptimization"
(https://arxiv.org/abs/2210.10760): proxy and gold are concave in d = sqrt(KL). The paper watches
nothing; this rule is ours, diminishing returns:
    statistic = 1 - g_k / max over j <= k of g_j,   g_j = (proxy_j - proxy_(j-1)) / (d_j - d_(j-1))
0 while the proxy climbs as steeply as it ever did, 1 where it stands still, above 1 where it falls.
Deviations: as said. Looks that do not get farther in d have no slope, and nothing is said before
the second slope.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from overopt.monitors.contract import Seen
from overopt.spec.declare import param

READS = ("kl_nats", "reward")
ACTS = "alarm"


@dataclass(frozen=True)
class Config:
    """Settings of the proxy curvature."""

    limit: float = param(0.9, help="share of the steepest slope that is lost")


def statistic(config: Config, seen: Seen) -> float | None:
    """Share of the steepest slope so far that the last one has lost."""
    slopes: list[float | None] = []
    for before, now in pairwise(seen):
        assert before.kl_nats is not None and now.kl_nats is not None
        assert before.reward is not None and now.reward is not None
        way = math.sqrt(max(now.kl_nats, 0.0)) - math.sqrt(max(before.kl_nats, 0.0))
        slopes.append((now.reward - before.reward) / way if way > 0 else None)
    known = [slope for slope in slopes if slope is not None]
    if len(known) < 2 or slopes[-1] is None or max(known) <= 0:
        return None
    return 1.0 - slopes[-1] / max(known)


def reason(config: Config, seen: Seen, value: float) -> str:
    """Name the share that is lost."""
    return f"the proxy has lost {value:.0%} of its steepest climb along sqrt(KL)"
