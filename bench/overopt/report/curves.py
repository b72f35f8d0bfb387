"""Points become curves: one per seed, and their mean with a t interval over seeds.

A mean at a budget is taken at one KL for all seeds, the smallest that any seed achieved for it, so
that every seed is read inside its own range: between two of its points, linearly in
d = sqrt(KL), never beyond its last point. A seed that did not get there is missing, not 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from overopt.report.schema import ESTIMATORS, GROUP
from overopt.stats.arrays import Floats
from overopt.stats.intervals import EXPLORATORY_BELOW, Interval, t_interval

Quantity = Literal["gold", "proxy"]


@dataclass(frozen=True)
class SeedCurve:
    """One seed's points, sorted by KL; points of equal KL are averaged.

    Attributes:
        seed: the run's seed.
        kl_nats_K: measured KL, nats, at least 0.
        gold_K: gold, SDs of the initial policy.
        proxy_K: proxy, recentered to the initial policy; NaN where it was not measured.
    """

    seed: int
    kl_nats_K: Floats
    gold_K: Floats
    proxy_K: Floats

    @property
    def d_K(self) -> Floats:
        """sqrt(KL), sqrt(nats)."""
        return np.asarray(np.sqrt(self.kl_nats_K), np.float64)

    def measured(self, quantity: Quantity) -> tuple[Floats, Floats]:
        """KL in nats and score of the points at which the quantity was measured."""
        score_K = self.gold_K if quantity == "gold" else self.proxy_K
        there = ~np.isnan(score_K)
        return self.kl_nats_K[there], score_K[there]

    def read_at(self, kl_nats: float, quantity: Quantity) -> float | None:
        """The score at a KL inside the measured range, linear in sqrt(KL); None outside it."""
        kl_K, score_K = self.measured(quantity)
        if kl_K.size == 0 or not kl_K[0] <= kl_nats <= kl_K[-1]:
            return None
        return float(np.interp(np.sqrt(kl_nats), np.sqrt(kl_K), score_K))


class Unreached(NamedTuple):
    """A KL budget that some seeds could not be driven to."""

    kl_target_nats: float
    n_seeds: int


class Failure(NamedTuple):
    """A seed with failed rows; ``whole`` when nothing beyond the initial policy was measured."""

    seed: int
    whole: bool


class BudgetMean(NamedTuple):
    """Mean over seeds at one KL.

    Attributes:
        kl_target_nats: the budget, nats; None at the initial policy or where no budget was set.
        kl_nats: the KL at which every seed was read, nats.
        score: t interval over the seeds that reach it; its ``n`` counts them.
    """

    kl_target_nats: float | None
    kl_nats: float
    score: Interval


@dataclass(frozen=True)
class Group:
    """The seeds of one method, proxy and noise level in one world (engine, axis, width, data size).

    Attributes:
        task: the task's label, which names the gold where there are several.
        world: seed of the world.
        n_seeds: seeds that were run, failed ones included.
        budgets_nats: budgets that at least one seed achieved, ascending, with the KL at which
            they are read.
        n_negative: points whose estimated KL is below 0, which have no sqrt and are left out.
        estimator: names of the KL estimators of the points with KL above 0, joined by "+".
    """

    task: str
    world: int
    method: str
    proxy: str
    noise: str
    seeds: tuple[SeedCurve, ...]
    n_seeds: int
    budgets_nats: tuple[tuple[float, float], ...]
    unreached: tuple[Unreached, ...]
    failures: tuple[Failure, ...]
    n_negative: int
    estimator: str

    @property
    def name(self) -> str:
        """``method × proxy, noise``, for messages and captions."""
        return f"{self.method} × {self.proxy}, noise {self.noise}"

    @property
    def identity(self) -> dict[str, str | int]:
        """The columns that tell a group's rows from others in tidy tables."""
        return {
            "task": self.task,
            "world": self.world,
            "method": self.method,
            "proxy": self.proxy,
            "noise": self.noise,
        }

    @property
    def exploratory(self) -> bool:
        """Whether fewer seeds were measured than an interval should rest on."""
        return len(self.seeds) < EXPLORATORY_BELOW

    @property
    def kl_max_nats(self) -> float | None:
        """Largest KL that any seed was measured at, nats."""
        return max((float(seed.kl_nats_K[-1]) for seed in self.seeds), default=None)

    def mean_curve(self, quantity: Quantity) -> list[BudgetMean]:
        """Mean and t interval over seeds at the initial policy and at every achieved budget."""
        means = []
        for target_nats, kl_nats in ((None, 0.0), *self.budgets_nats):
            values = [seed.read_at(kl_nats, quantity) for seed in self.seeds]
            there = [value for value in values if value is not None]
            if there:
                means.append(BudgetMean(target_nats, kl_nats, t_interval(there)))
        return means


def group_points(points: pd.DataFrame) -> list[Group]:
    """Split labeled points into groups, ordered by task, method, proxy, amount of noise, world."""
    groups = []
    for _, rows in points.groupby([*GROUP, "version"], dropna=False, sort=False):
        groups.append(_group(rows))
    return sorted(groups, key=_order)


def _order(group: Group) -> tuple[object, ...]:
    return group.task, group.method, group.proxy, noise_order(group.noise), group.world


def noise_order(label: str) -> tuple[str, float, str]:
    """Sort key of a noise label: flips first, then by kind, then by amount."""
    kind, _, amount = label.rpartition(":")
    try:
        return kind, float(amount), label
    except ValueError:
        return kind, float("inf"), label


def estimator_name(estimator: str) -> str:
    """What an axis calls one or several estimators joined by "+"."""
    return " / ".join(ESTIMATORS.get(part, part) for part in estimator.split("+") if part)


def curve_table(groups: Sequence[Group]) -> pd.DataFrame:
    """Mean curves in tidy form: one row per group, quantity and KL."""
    rows = [
        {
            **group.identity,
            "quantity": quantity,
            "kl_target_nats": mean.kl_target_nats,
            "kl_nats": mean.kl_nats,
            "kl_estimator": group.estimator,
            "mean": mean.score.mean,
            "low": mean.score.low,
            "high": mean.score.high,
            "se": mean.score.se,
            "seeds": mean.score.n,
            "seeds_run": group.n_seeds,
            "exploratory": mean.score.exploratory,
        }
        for group in groups
        for quantity in ("gold", "proxy")
        for mean in group.mean_curve(quantity)
    ]
    return pd.DataFrame(rows)


def _group(rows: pd.DataFrame) -> Group:
    first = rows.iloc[0]
    ok = rows[rows["status"] == "ok"]
    usable = ok[ok["kl_nats"] >= 0]
    curves = tuple(
        _seed_curve(int(float(str(seed))), part) for seed, part in usable.groupby("seed")
    )
    missed = rows[rows["status"] == "unreached"].groupby("kl_target_nats")["seed"].nunique()
    moved = usable[usable["kl_nats"] > 0]
    return Group(
        task=str(first["task_label"]),
        world=int(first["world"]),
        method=str(first["method_label"]),
        proxy=str(first["proxy_label"]),
        noise=str(first["noise"]),
        seeds=curves,
        n_seeds=int(rows["seed"].nunique()),
        budgets_nats=_budgets(moved),
        unreached=tuple(
            Unreached(float(str(target)), int(count)) for target, count in missed.items()
        ),
        failures=_failures(rows, moved),
        n_negative=len(ok) - len(usable),
        estimator="+".join(sorted(set(moved["kl_estimator"]))),
    )


def _seed_curve(seed: int, rows: pd.DataFrame) -> SeedCurve:
    columns = rows[["kl_nats", "gold_mean", "proxy_mean"]]
    merged = columns.groupby("kl_nats", sort=True).mean().reset_index()
    return SeedCurve(
        seed=seed,
        kl_nats_K=merged["kl_nats"].to_numpy(np.float64),
        gold_K=merged["gold_mean"].to_numpy(np.float64),
        proxy_K=merged["proxy_mean"].to_numpy(np.float64),
    )


def _budgets(moved: pd.DataFrame) -> tuple[tuple[float, float], ...]:
    """Each achieved budget with the KL at which it is read, nats.

    Points without a budget (somebody's own scores) stand for themselves at quantiles of the
    measured KL, as many as a seed has points.
    """
    targeted = moved[moved["kl_target_nats"].notna()]
    if len(targeted):
        lowest = targeted.groupby("kl_target_nats")["kl_nats"].min()
        read = [(float(str(target)), float(kl_nats)) for target, kl_nats in lowest.items()]
        return tuple(sorted(read, key=lambda one: one[1]))
    if moved.empty:
        return ()
    count = int(moved.groupby("seed").size().max())
    grid = np.quantile(moved["kl_nats"].to_numpy(np.float64), np.linspace(0.0, 1.0, count))
    return tuple((float(kl_nats), float(kl_nats)) for kl_nats in np.unique(grid))


def _failures(rows: pd.DataFrame, moved: pd.DataFrame) -> tuple[Failure, ...]:
    measured = {int(seed) for seed in moved["seed"]}
    broken = sorted({int(seed) for seed in rows[rows["status"] == "failed"]["seed"]})
    return tuple(Failure(seed, seed not in measured) for seed in broken)
