"""What a group is: the seeds of one method, proxy and noise, with their curves, peak and end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from overopt.stats.arrays import Floats
from overopt.stats.crossed import Crossed, Place, around, widest_interval
from overopt.stats.equal_kl import SeedPoints
from overopt.stats.students_t import EXPLORATORY_BELOW

Quantity = Literal["gold", "proxy"]


QUANTITIES: tuple[Quantity, ...] = ("gold", "proxy")


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
        from_nats: least KL above 0 that it may be read at, nats: it leapt there at first.
    """

    seed: int
    kl_nats_K: Floats
    target_K: Floats
    gold_K: Floats
    gold_se_K: Floats
    proxy_K: Floats
    n_prompts: int
    from_nats: float = 0.0

    @cached_property
    def d_K(self) -> Floats:
        """sqrt(KL), sqrt(nats)."""
        return np.asarray(np.sqrt(self.kl_nats_K), np.float64)

    @property
    def points(self) -> SeedPoints:
        """Where the seed was measured."""
        return SeedPoints(self.kl_nats_K, self.target_K, self.from_nats)

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
            self.from_nats,
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


def read_seed(curve: SeedCurve, weight_K: Floats, quantity: Quantity) -> Reading:
    """A seed read where its points have these weights."""
    se = math.nan
    if quantity == "gold":
        used = weight_K > 0.0
        se = float(weight_K[used] @ curve.gold_se_K[used])  # the points of a seed may err together
    return Reading(
        float(weight_K @ curve.d_K) ** 2,
        float(weight_K @ curve.score(quantity)),
        se,
        curve.n_prompts,
    )


def over_readings(readings: Sequence[Reading]) -> Crossed:
    """Mean over seeds: over seeds and prompts where standard errors are known, else over seeds."""
    means = [one.mean for one in readings]
    errors = [one.se for one in readings]
    n_prompts = min(one.n_prompts for one in readings)
    if n_prompts > 1 and not any(map(math.isnan, errors)):
        return widest_interval(means, errors, n_prompts)
    mean, n_seeds = float(np.mean(means)), len(means)
    if n_seeds == 1:
        return Crossed(mean, None, None, None, None, 1, n_prompts, 0.95, "prompts")
    se = float(np.std(means, ddof=1) / np.sqrt(n_seeds))
    return around(mean, se, n_seeds - 1, (n_seeds, n_prompts))._replace(over="seeds")


@dataclass(frozen=True)
class Places:
    """Peak, end and fall of a group.

    Attributes:
        peak: where gold is highest (`overopt.stats.rise_fall`); its gold is the rise.
        end: the largest budget that every seed reached.
        fall: gold at the end less gold at the peak; None where the peak is the end.
        choices: in how many cross-fitted choices of the peak the shown budget was chosen, and how
            many there were; None where that is not known.
        note: what is missing, or what the numbers come from; empty for what is stored in full.
    """

    peak: Place | None = None
    end: Place | None = None
    fall: Crossed | None = None
    choices: tuple[int, int] | None = None
    note: str = ""

    @property
    def rises(self) -> bool:
        """Whether gold at the peak is shown to lie above the initial policy's."""
        return self.peak is not None and self.peak.gold.above_zero

    @property
    def falls(self) -> bool:
        """Whether gold at the end is shown to lie below gold at the peak."""
        return self.fall is not None and self.fall.below_zero

    @property
    def verdict(self) -> str:
        """Rise and fall in words; empty without a peak."""
        if self.peak is None:
            return ""
        words = verdict(self.rises, self.falls)
        return f"{words} (exploratory)" if self.peak.gold.exploratory else words


def verdict(rises: bool, falls: bool) -> str:
    """Rise and fall in words."""
    return {
        (True, True): "rises, then falls",
        (True, False): "rises, no fall shown",
        (False, True): "falls, no rise shown",
        (False, False): "neither shown",
    }[rises, falls]


class Size(NamedTuple):
    """What a proxy's curve differs by when only its size does.

    Attributes:
        proxy: the proxy's name and start, without its size.
        width: its width; NaN where that is not known.
        comparisons: pairs that it was trained on; NaN where that is not known.
    """

    proxy: str
    width: float
    comparisons: float


UNKNOWN_SIZE = Size("", float("nan"), float("nan"))


class Unreached(NamedTuple):
    """A KL budget that some seeds could not be driven to."""

    kl_target_nats: float
    n_seeds: int


class Failure(NamedTuple):
    """A seed with failed rows; ``whole`` when nothing beyond the initial policy was measured."""

    seed: int
    whole: bool


@dataclass(frozen=True)
class Group:
    """The seeds of one method, proxy and noise level in one world (engine, axis, width, data size).

    Attributes:
        task: the task's label, which names the gold where there are several.
        worlds: seeds of the worlds: one, or those that it is a mean over.
        where: which worlds, in words, where the task was run in several; else empty.
        n_seeds: seeds that were run, failed ones included.
        places: peak and end, which need every seed that was run.
        means: mean over seeds with its interval at the initial policy and at every budget.
        n_negative: points whose estimated KL is below 0, which have no sqrt and are left out.
        estimator: names of the KL estimators of the points with KL above 0, joined by "+".
        over_worlds: the row of ``worlds.csv`` that this world has a part in; None where there is
            none.
        parts: the groups of single worlds that this is a mean over; none for a single world.
        size: of the proxy.
    """

    task: str
    worlds: tuple[int, ...]
    where: str
    method: str
    proxy: str
    noise: str
    seeds: tuple[SeedCurve, ...]
    n_seeds: int
    places: Places
    means: Mapping[Quantity, list[BudgetMean]]
    unreached: tuple[Unreached, ...]
    failures: tuple[Failure, ...]
    n_negative: int
    estimator: str
    over_worlds: Mapping[Any, Any] | None = None
    parts: tuple[Group, ...] = ()
    size: Size = UNKNOWN_SIZE

    @property
    def world(self) -> int:
        """Seed of the one world."""
        (world,) = self.worlds
        return world

    @property
    def world_names(self) -> str:
        """The worlds by their seeds: ``0``, or ``0, 1, 2`` for a mean over them."""
        return ", ".join(map(str, self.worlds))

    @property
    def titled(self) -> str:
        """The method, and which worlds where that tells it from others."""
        return f"{self.method}, {self.where}" if self.where else self.method

    @property
    def name(self) -> str:
        """``method × proxy, noise``, for messages and captions."""
        return f"{self.titled} × {self.proxy}, noise {self.noise}"

    @property
    def identity(self) -> dict[str, str | int]:
        """The columns that tell a group's rows from others in tidy tables; ``0 1 2``: a mean."""
        return {
            "task": self.task,
            "world": " ".join(map(str, self.worlds)) if self.parts else self.world,
            "method": self.method,
            "proxy": self.proxy,
            "noise": self.noise,
        }

    @property
    def exploratory(self) -> bool:
        """Whether fewer seeds were measured, in any world, than an interval should rest on."""
        if self.parts:
            return any(part.exploratory for part in self.parts)
        return len(self.seeds) < EXPLORATORY_BELOW

    @property
    def leaps(self) -> bool:
        """Whether every seed's first step leapt over a budget, so that nothing lies between."""
        return bool(self.seeds) and all(seed.from_nats > 0.0 for seed in self.seeds)

    @property
    def kl_max_nats(self) -> float | None:
        """Largest KL that any seed was measured at, nats."""
        return max((float(seed.kl_nats_K[-1]) for seed in self.seeds), default=None)

    def is_whole(self, mean: BudgetMean) -> bool:
        """Whether a mean is over all seeds that were run."""
        return mean.score.n_seeds >= self.n_seeds


def compares_methods(groups: Sequence[Group]) -> bool:
    """Whether there are several methods to compare; otherwise their proxies are."""
    return len({group.method for group in groups}) > 1
