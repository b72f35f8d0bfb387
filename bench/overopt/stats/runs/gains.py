"""One training run as a curve along KL, relative to the policy that it started from.

Shape letters: K rows of one run, in order of training step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from overopt.stats.arrays import (
    Bools,
    Floats,
    Ints,
    check_finite,
    check_same_shape,
    distance_from_kl,
)

START_SHARE = 0.1
"""A first row whose sqrt(KL) is at most this share of the run's largest is the initial policy."""


class RunPoints(NamedTuple):
    """One run as it was logged or measured.

    Attributes:
        step_K: training step, strictly ascending.
        kl_K: KL from the initial policy, nats, at least 0.
        proxy_K: mean proxy reward, in the proxy's own units.
        gold_K: mean gold reward, in gold's own units; NaN where gold was not scored.
    """

    step_K: Ints
    kl_K: Floats
    proxy_K: Floats
    gold_K: Floats


class Units(NamedTuple):
    """Standard deviations under the initial policy, which make proxy and gold comparable.

    Attributes:
        proxy_sd: of the proxy, in its own units; None where unknown, and the proxy stays as it is.
        gold_sd: of gold, likewise.
    """

    proxy_sd: float | None
    gold_sd: float | None

    @property
    def comparable(self) -> bool:
        """Whether a difference of proxy and gold has a meaning."""
        return self.proxy_sd is not None and self.gold_sd is not None


@dataclass(frozen=True)
class RunGains:
    """One run relative to its first row.

    Attributes:
        step_K: training step.
        kl_K: KL, nats.
        d_K: sqrt(KL), sqrt(nats); 0 in the first row where that is the initial policy.
        proxy_K: proxy above its first row, in SDs where those are known.
        gold_K: gold above its first row that has gold; NaN where gold was not scored.
        starts_at_initial: whether the first row is the initial policy.
        gold_starts_at_initial: the same of the first row that has gold; false without gold.
    """

    step_K: Ints
    kl_K: Floats
    d_K: Floats
    proxy_K: Floats
    gold_K: Floats
    starts_at_initial: bool
    gold_starts_at_initial: bool

    @property
    def scored_K(self) -> Bools:
        """Rows that have gold."""
        return ~np.isnan(self.gold_K)

    @property
    def fitted_K(self) -> Bools:
        """Rows that a form of gold may be fitted to: all that have gold, the first included."""
        return self.scored_K & self.gold_starts_at_initial


def gains_of(points: RunPoints, units: Units) -> RunGains:
    """A run's rewards above those of its first row.

    Gao et al. define gold as 0 at KL 0. A log may begin after some steps: its first row stands for
    the initial policy where its sqrt(KL) is at most `START_SHARE` of the largest, and is then put
    at d = 0. A run that begins farther out has gains over its first row, but nothing that passes
    through the origin may be fitted to it.

    Args:
        points: the run.
        units: standard deviations under the initial policy.

    Raises:
        ValueError: if shapes differ, steps do not ascend, KL or proxy is missing, or KL is
            negative.
    """
    step_K = np.asarray(points.step_K, np.int64)
    kl_K = check_finite(points.kl_K, "KL")
    proxy_K = check_finite(points.proxy_K, "proxy")
    gold_K = np.asarray(points.gold_K, np.float64)
    for values, name in ((kl_K, "KL"), (proxy_K, "proxy"), (gold_K, "gold")):
        check_same_shape(step_K, values, f"steps and {name}")
    if np.any(np.diff(step_K) <= 0):
        raise ValueError("steps must ascend")
    d_K = distance_from_kl(kl_K)
    near_K = d_K <= START_SHARE * d_K.max()
    scored = np.flatnonzero(~np.isnan(gold_K))
    first = int(scored[0]) if scored.size else 0
    if near_K[0]:
        d_K[0] = 0.0
    if scored.size and near_K[first]:
        d_K[first] = 0.0
    return RunGains(
        step_K=step_K,
        kl_K=kl_K,
        d_K=d_K,
        proxy_K=(proxy_K - proxy_K[0]) / (units.proxy_sd or 1.0),
        gold_K=(gold_K - gold_K[first]) / (units.gold_sd or 1.0),
        starts_at_initial=bool(near_K[0]),
        gold_starts_at_initial=bool(scored.size and near_K[first]),
    )
