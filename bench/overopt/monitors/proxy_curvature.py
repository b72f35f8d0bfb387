"""Proxy curvature: the proxy gains less and less for the same way along sqrt(KL).

Paper: Gao, Schulman and Hilton 2022, "Scaling Laws for Reward Model Overoptimization"
(https://arxiv.org/abs/2210.10760): proxy and gold are concave in d = sqrt(KL). The paper watches
nothing; this rule is ours, diminishing returns. A parabola a + b d + c d^2 is fitted to the proxy
of all looks by least squares, with slopes b + 2 c d at the nearest look and at the farthest one:
    statistic = 1 - u / s,   s = the steeper of both slopes,
    u = the farthest slope's upper bound, one-sided 95 % by the t distribution, at most s
0 while the proxy climbs as steeply as it ever did, 1 where it stands still, above 1 where it falls,
`FALLING` where it surely does and has never climbed.
Deviations: as said. The fit pools all looks, so that the statistic means the same however many
there are, and noise does not ring: the steepest of many slopes between neighboring looks is the
noisiest one, and rang on every straight climb of 50 looks with noise of 0.05 SDs. Nothing is said
before the fourth look, the first that can tell noise from a bend.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from overopt.monitors.contract import Seen
from overopt.spec.declare import param
from overopt.stats.students_t import t_half_width

READS = ("kl_nats", "reward")
ACTS = "alarm"
FROM_INITIAL = False

FALLING = 2.0
"""The statistic of a proxy that falls and has never climbed, which has no climb to lose."""


@dataclass(frozen=True)
class Config:
    """Settings of the proxy curvature."""

    limit: float = param(0.9, help="share of the steepest slope that is lost")


_LEAST = 4
"""Looks from which on a parabola leaves a residual that tells noise."""
_LEVEL = 0.9
"""Of the two-sided interval whose upper bound is the one-sided one of 95 %."""
_ROUNDING = 1e-9
"""Slopes that climb less than this share of the largest reward stand still."""


def statistic(config: Config, seen: Seen) -> float | None:
    """Share of the steepest slope that the farthest one has surely lost."""
    d_K = np.sqrt([max(one.kl_nats or 0.0, 0.0) for one in seen])
    reward_K = np.array([one.reward for one in seen], np.float64)
    if len(seen) < _LEAST or len(np.unique(d_K)) < 3:
        return None
    x_K = d_K / d_K.max()
    design_K3 = np.stack([np.ones_like(x_K), x_K, x_K**2], axis=1)
    fit_3, _, rank, _ = np.linalg.lstsq(design_K3, reward_K, rcond=None)
    if rank < 3:
        return None
    left_K = reward_K - design_K3 @ fit_3
    at_start_3, at_end_3 = (np.array([0.0, 1.0, 2.0 * x]) for x in (x_K.min(), 1.0))
    start, end = float(fit_3 @ at_start_3), float(fit_3 @ at_end_3)
    df = len(seen) - 3
    spread = float(at_end_3 @ np.linalg.inv(design_K3.T @ design_K3) @ at_end_3)
    se = math.sqrt(float(left_K @ left_K) / df * spread)
    upper, steepest = end + t_half_width(se, df, _LEVEL), max(start, end)
    still = _ROUNDING * float(np.abs(reward_K).max())
    if steepest <= still:
        return FALLING if upper < -still else None
    return 1.0 - min(upper, steepest) / steepest


def reason(config: Config, seen: Seen, value: float) -> str:
    """Name the share that is lost, or that nothing was ever gained."""
    first, last = seen[0].reward, seen[-1].reward
    if value == FALLING and first is not None and last is not None and last < first:
        return "the proxy has fallen along sqrt(KL) from the start"
    return f"the proxy has lost {value:.0%} of its steepest climb along sqrt(KL)"
