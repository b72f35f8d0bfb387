"""What a comparison is made of: entrants and contests, their scores, and what was decided."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from overopt.report.comparison.question import Question
from overopt.report.group import Group, SeedCurve
from overopt.report.tables.text import MISSING, show_spread
from overopt.stats.arrays import Floats
from overopt.stats.comparisons.parts import Difference
from overopt.stats.comparisons.ties import RankRange
from overopt.stats.crossed import Crossed
from overopt.stats.students_t import EXPLORATORY_BELOW

ALPHA = 0.05
"""Chance of any false difference among the pairs of a contest that were asked for."""

SAME = 1e-6
"""Means that differ by less are the same mean of the same seeds."""

Gains = Callable[[int, SeedCurve], Floats | None]
"""From a world and a seed's curve to gold above the initial policy, by its points and prompts."""


@dataclass(frozen=True)
class Entrant:
    """One method in one setting.

    Attributes:
        method: its label, which also names engine, axis or version where these differ.
        family: its family; empty where the run's record does not tell.
        sees_proxy: whether a proxy had a part in its policies.
        groups: its seeds in each world.
        gains: reads gold by prompt; None for seeds for which it was not stored.
        uses_gold: what it or the proxy that it sees was told of gold, see `GOLD_USES`.
    """

    method: str
    family: str
    sees_proxy: bool
    groups: Mapping[int, Group]
    gains: Gains
    uses_gold: str = "none"

    def curves(self, world: int, seeds: tuple[int, ...]) -> list[SeedCurve] | None:
        """The curves of some seeds; None where one of them has nothing beyond the start."""
        by_seed = {curve.seed: curve for curve in self.groups[world].seeds}
        found = [by_seed[seed] for seed in seeds if seed in by_seed]
        whole = len(found) == len(seeds) and all((one.kl_nats_K > 0).any() for one in found)
        return found if whole else None

    def is_whole(self, world: int, seeds: tuple[int, ...]) -> bool:
        """Whether these are all the seeds that were run there."""
        return len(seeds) == self.groups[world].n_seeds


@dataclass(frozen=True)
class Contest:
    """Methods that share all that a comparison asks for.

    Attributes:
        task: the task's label, which names the gold where there are several.
        proxy: the proxy's label; empty where no method of the contest sees one.
        noise: label noise.
        seeds_of: seeds of each world that all entrants have run.
        entrants: the methods.
    """

    task: str
    proxy: str
    noise: str
    seeds_of: Mapping[int, tuple[int, ...]]
    entrants: tuple[Entrant, ...]

    @property
    def n_seeds(self) -> int:
        """Seeds in the world that has the fewest."""
        return min(len(seeds) for seeds in self.seeds_of.values())

    @property
    def reach_nats(self) -> float | None:
        """A KL that every seed of at least two entrants reached, rounded down to two digits."""
        reached = []
        for one in self.entrants:
            read = [one.curves(world, seeds) for world, seeds in self.seeds_of.items()]
            whole = [curve for mine in read if mine is not None for curve in mine]
            if all(mine is not None for mine in read):
                reached.append(min(float(curve.kl_nats_K[-1]) for curve in whole))
        if len(reached) < 2:
            return None
        furthest = sorted(reached)[-2]
        step = 10.0 ** (math.floor(math.log10(furthest)) - 1)
        return float(f"{math.floor(furthest / step) * step:.6g}")

    @property
    def title(self) -> str:
        """The setting in words."""
        worlds = sorted(self.seeds_of)
        parts = [self.task, self.proxy, f"noise {self.noise}"]
        parts.append(f"world{'s' if len(worlds) > 1 else ''} {', '.join(map(str, worlds))}")
        counts = sorted({len(seeds) for seeds in self.seeds_of.values()})
        parts.append(f"{' or '.join(map(str, counts))} seed{'s' if counts[-1] > 1 else ''}"
                     f"{' each' if len(worlds) > 1 else ''}")  # fmt: skip
        return ", ".join(part for part in parts if part)


class WorldScore(NamedTuple):
    """A method's score in one world.

    Attributes:
        own: mean over seeds with its interval, the same that the report shows.
        value_S: score of each seed of the contest.
        value_SB: the same by prompt; None where that was not stored.
        kl_nats: KL where it was read, mean over seeds, nats.
        note: what a reader must know of it; may be empty.
    """

    own: Crossed
    value_S: Floats
    value_SB: Floats | None
    kl_nats: float
    note: str = ""

    @property
    def by_seed(self) -> bool:
        """Whether the mean that is shown is the mean of these seeds."""
        mean = float(self.value_S.mean())
        return abs(mean - self.own.mean) <= SAME * (1.0 + abs(mean))


class NotRanked(NamedTuple):
    """Why a method has no score that compares."""

    reason: str


Scores = Mapping[int, WorldScore]
"""Of each world."""


@dataclass(frozen=True)
class Pair:
    """Two methods of a contest.

    Attributes:
        first: the method with the higher score.
        second: the other.
        difference: first - second; its interval is of this one comparison.
        within: the same for these very worlds; equal to ``difference`` in one world.
        p_holm: p value after Holm's correction over the pairs that were asked for; None where
            there is no test.
        improvement: calculates `chance`; among thousands of pairs few are asked.
        power: calculates what the pair sees, likewise.
    """

    first: str
    second: str
    difference: Difference
    within: Difference
    p_holm: float | None
    improvement: Callable[[], float] = field(compare=False)
    power: Callable[[], float | None] = field(compare=False)

    @property
    def chance(self) -> float:
        """P(first > second) over single seeds."""
        return self.improvement()

    @property
    def sees(self) -> float | None:
        """Smallest true difference that this design declares with a chance of 80 %.

        At the level of Holm's first step, the strictest; None where there is no test.
        """
        return self.power()

    @property
    def differs(self) -> bool:
        """Whether a difference is shown."""
        return self.p_holm is not None and self.p_holm <= ALPHA


class Score(NamedTuple):
    """A method's own mean with its 95 % interval, the same that the report shows.

    Attributes:
        mean: mean over seeds; of several worlds, the mean of their means.
        low: lower bound, or None.
        high: upper bound, or None.
        over: what the interval takes for random.
    """

    mean: float
    low: float | None
    high: float | None
    over: str


@dataclass(frozen=True)
class Standing:
    """One method's place in a contest.

    Attributes:
        method: its label.
        family: its family; may be empty.
        sees_proxy: whether a proxy had a part in it.
        score: mean over seeds, and over worlds where there are several; None where it is not
            ranked.
        kl_nats: KL where it was read, nats.
        ranks: ranks that the decisions leave open; None where it is not ranked.
        ties: letters; two methods share one if and only if no difference between them is shown.
            Where 26 letters are not enough, with how many others it ties. Empty against a
            baseline: other pairs are not tested.
        note: what a reader must know of it; why it is not ranked, where it is not.
    """

    method: str
    family: str
    sees_proxy: bool
    score: Score | None
    kl_nats: float | None
    ranks: RankRange | None
    ties: str
    note: str


@dataclass(frozen=True)
class Ranking:
    """A contest decided.

    Attributes:
        contest: what was compared.
        question: what was asked.
        standings: ranked methods, the highest score first, then those that are not ranked.
        pairs: all pairs of ranked methods, in the order of the standings; against a baseline that
            is ranked, the pairs with it alone.
        scores: score of each ranked method, by world and seed.
    """

    contest: Contest
    question: Question
    standings: tuple[Standing, ...]
    pairs: tuple[Pair, ...]
    scores: Mapping[str, Scores]

    @property
    def ranked(self) -> tuple[Standing, ...]:
        """The methods that are ranked, best first."""
        return tuple(one for one in self.standings if one.ranks is not None)

    @property
    def unranked(self) -> tuple[str, ...]:
        """Names of the methods that are not ranked."""
        return tuple(one.method for one in self.standings if one.ranks is None)

    @property
    def exploratory(self) -> bool:
        """Whether fewer than 5 seeds stand behind it in any world."""
        return self.contest.n_seeds < EXPLORATORY_BELOW

    @property
    def baseline(self) -> str | None:
        """The ranked method that the others are tested against; None: all pairs are tested."""
        return ranked_baseline(self.question, self.scores)

    @cached_property
    def _pair_of(self) -> dict[frozenset[str], Pair]:
        return {frozenset((pair.first, pair.second)): pair for pair in self.pairs}

    def pair(self, one: str, other: str) -> Pair:
        """A pair that was tested."""
        return self._pair_of[frozenset((one, other))]

    @property
    def reference(self) -> Standing | None:
        """The method that others are set against: the baseline, or the highest score."""
        mine = [one for one in self.ranked if one.method == self.question.baseline]
        return mine[0] if mine else self.ranked[0] if self.ranked else None

    def against_reference(self, method: str) -> tuple[Pair, Difference] | None:
        """A ranked method's pair with the reference, and its own difference to it."""
        reference = self.reference
        if reference is None or method in (reference.method, *self.unranked):
            return None
        pair = self.pair(method, reference.method)
        found = pair.difference
        if pair.first == method:
            return pair, found
        low = None if found.high is None else -found.high
        high = None if found.low is None else -found.low
        return pair, found._replace(mean=-found.mean, low=low, high=high)


def ranked_baseline(question: Question, ranked: Collection[str]) -> str | None:
    """The baseline that a question names, where it is among the ranked methods."""
    return question.baseline if question.baseline in ranked else None


def show_interval(one: Difference | Score | None, digits: int) -> str:
    """A mean with its interval."""
    return MISSING if one is None else show_spread(one.mean, one.low, one.high, digits)


def show_p(p: float | None) -> str:
    """A p value; small ones as a bound."""
    if p is None:
        return MISSING
    return "<0.001" if p < 0.001 else f"{p:.3f}"
