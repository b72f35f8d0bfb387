"""Points become curves: one per seed, and their mean at common KL values.

A mean at a budget is taken at the budget itself: every seed is read between two of its own points,
linearly in d = sqrt(KL), never beyond its last point. A seed that did not get there is missing, not
0, and the mean carries how many seeds it is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from overopt.report.stored.contrasts import interval_of
from overopt.stats.arrays import Floats
from overopt.stats.crossed import Crossed, around, widest_interval
from overopt.stats.equal_kl import SeedPoints, read_together

Quantity = Literal["gold", "proxy"]
QUANTITIES: tuple[Quantity, ...] = ("gold", "proxy")

_SAME = 1e-6
"""Means that differ by less are the same mean of the same numbers."""


@dataclass(frozen=True)
class SeedCurve:
    """One seed's points, sorted by KL.

    Attributes:
        seed: the run's seed.
        kl_nats_K: measured KL, nats, at least 0.
        target_K: the budget that each point was taken for, nats; NaN where it was taken for none.
        gold_K: gold, SDs of the initial policy.
        gold_se_K: standard error over prompts of gold less that of the initial policy; NaN where it
            was not measured.
        proxy_K: proxy, recentered to the initial policy; NaN where it was not measured.
        n_prompts: prompts behind each point; 0 where it was not stored.
    """

    seed: int
    kl_nats_K: Floats
    target_K: Floats
    gold_K: Floats
    gold_se_K: Floats
    proxy_K: Floats
    n_prompts: int

    @property
    def d_K(self) -> Floats:
        """sqrt(KL), sqrt(nats)."""
        return np.asarray(np.sqrt(self.kl_nats_K), np.float64)

    @property
    def points(self) -> SeedPoints:
        """Where the seed was measured."""
        return SeedPoints(self.kl_nats_K, self.target_K)

    def measured(self, quantity: Quantity) -> SeedCurve:
        """The points at which a quantity was measured."""
        there = ~np.isnan(self.score(quantity))
        return SeedCurve(
            self.seed,
            self.kl_nats_K[there],
            self.target_K[there],
            self.gold_K[there],
            self.gold_se_K[there],
            self.proxy_K[there],
            self.n_prompts,
        )

    def score(self, quantity: Quantity) -> Floats:
        """The scores of a quantity, one per point."""
        return self.gold_K if quantity == "gold" else self.proxy_K


class Reading(NamedTuple):
    """One seed read at one place: a weighted mean of its points.

    Attributes:
        kl_nats: KL of the place, nats.
        mean: the score.
        se: its standard error over prompts, at most; NaN where it is not known.
        n_prompts: prompts behind it; 0 where that is not known.
    """

    kl_nats: float
    mean: float
    se: float
    n_prompts: int


class BudgetMean(NamedTuple):
    """Mean over seeds at one KL.

    Attributes:
        kl_target_nats: the budget, nats; None at the initial policy or where no budget was set.
        kl_nats: the KL at which the seeds were read, nats: the budget, or the mean of their own
            where they were read at their own policies.
        achieved_kl_nats: mean KL of the policies that seeds have for this budget, nats; None where
            there are none.
        score: mean and interval; its ``n_seeds`` counts the seeds that get there.
    """

    kl_target_nats: float | None
    kl_nats: float
    achieved_kl_nats: float | None
    score: Crossed


def seed_curve(seed: int, rows: pd.DataFrame) -> SeedCurve:
    """One seed's curve from its rows of ``points.csv``, all measured and of KL at least 0."""
    ordered = rows.sort_values("kl_nats", kind="stable")
    prompts = ordered["n_prompts"].min()
    return SeedCurve(
        seed,
        kl_nats_K=ordered["kl_nats"].to_numpy(np.float64),
        target_K=ordered["kl_target_nats"].to_numpy(np.float64),
        gold_K=ordered["gold_mean"].to_numpy(np.float64),
        gold_se_K=ordered["gold_gain_se"].to_numpy(np.float64),
        proxy_K=ordered["proxy_mean"].to_numpy(np.float64),
        n_prompts=0 if np.isnan(prompts) else int(prompts),
    )


def mean_curve(
    seeds: Sequence[SeedCurve], quantity: Quantity, stored: pd.DataFrame
) -> list[BudgetMean]:
    """Mean over seeds at the initial policy and at every budget that some seed reached.

    Args:
        seeds: the seeds that were measured.
        quantity: what is averaged.
        stored: rows of ``budgets.csv`` of these very seeds, whose intervals come from single
            prompts; an interval that is not among them comes from each seed's standard error.
    """
    curves = [curve for curve in (seed.measured(quantity) for seed in seeds) if curve.d_K.size]
    rows = stored[stored["quantity"] == quantity].to_dict("records")
    start = [curve.score(quantity)[0] for curve in curves if curve.kl_nats_K[0] == 0.0]
    means = []
    if start:
        shape = (len(start), min(curve.n_prompts for curve in curves))
        zero = around(float(np.mean(start)), 0.0, np.inf, shape)
        means.append(BudgetMean(None, 0.0, 0.0, zero))
    for place in read_together([curve.points for curve in curves]):
        score = over_readings(
            [
                read_seed(curve, weight_K, quantity)
                for curve, weight_K in zip(curves, place.weight_SK, strict=True)
                if weight_K is not None
            ]
        )
        for row in rows:
            interval = interval_of(row, "mean")
            at_place = row["kl_target_nats"] == place.kl_target_nats
            if at_place and interval is not None and _is_same(interval, score):
                score = interval
        own = [
            float(kl_nats)
            for curve in curves
            for kl_nats in curve.kl_nats_K[curve.target_K == place.kl_target_nats]
        ]
        achieved = float(np.mean(own)) if own else None
        means.append(BudgetMean(place.kl_target_nats, place.kl_nats, achieved, score))
    return means


def read_seed(curve: SeedCurve, weight_K: Floats, quantity: Quantity) -> Reading:
    """A seed read where its points have these weights."""
    used = weight_K > 0.0
    se_K = curve.gold_se_K if quantity == "gold" else np.full(used.shape, np.nan)
    return Reading(
        float(weight_K @ curve.d_K) ** 2,
        float(weight_K @ curve.score(quantity)),
        float(weight_K[used] @ se_K[used]),  # the points of a seed may err together
        curve.n_prompts,
    )


def over_readings(readings: Sequence[Reading]) -> Crossed:
    """Mean over seeds: over seeds and prompts where standard errors are known, else over seeds."""
    means = [one.mean for one in readings]
    errors = [one.se for one in readings]
    n_prompts = min(one.n_prompts for one in readings)
    if n_prompts > 1 and not np.isnan(errors).any():
        return widest_interval(means, errors, n_prompts)
    mean, n_seeds = float(np.mean(means)), len(means)
    if n_seeds == 1:
        return Crossed(mean, None, None, None, None, 1, n_prompts, 0.95, "prompts")
    se = float(np.std(means, ddof=1) / np.sqrt(n_seeds))
    return around(mean, se, n_seeds - 1, (n_seeds, n_prompts))._replace(over="seeds")


def _is_same(stored: Crossed, read: Crossed) -> bool:
    """Whether a stored interval is of the mean that was read."""
    close = abs(stored.mean - read.mean) <= _SAME * (1.0 + abs(read.mean))
    return stored.n_seeds == read.n_seeds and close
