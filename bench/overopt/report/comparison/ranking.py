"""From scores to decisions: every pair tested, Holm's correction, ties and the ranks left open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from overopt.report.comparison.contest import Contest, Question
from overopt.report.comparison.readings import NotRanked, Scores
from overopt.stats.comparisons.differences import (
    Difference,
    Paired,
    difference,
    not_paired,
    paired_by_prompt,
    paired_by_seed,
    within_worlds,
)
from overopt.stats.comparisons.improvement import probability_of_improvement
from overopt.stats.comparisons.power import smallest_seen
from overopt.stats.comparisons.ties import RankRange, letters, rank_ranges, tie_groups
from overopt.stats.intervals import adjust_holm
from overopt.stats.students_t import EXPLORATORY_BELOW
from overopt.stats.world_means import over_worlds

ALPHA = 0.05
"""Chance of any false difference among all pairs of a contest."""


@dataclass(frozen=True)
class Pair:
    """Two methods of a contest.

    Attributes:
        first: the method with the higher score.
        second: the other.
        difference: first - second; its interval is of this one comparison.
        within: the same for these very worlds; equal to ``difference`` in one world.
        p_holm: p value after Holm's correction over all pairs; None where there is no test.
        sees: smallest true difference that this design declares with a chance of 80 %, at the level
            of Holm's first step; None where there is no test.
        chance: P(first > second) over single seeds.
    """

    first: str
    second: str
    difference: Difference
    within: Difference
    p_holm: float | None
    sees: float | None
    chance: float

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
        pairs: all pairs of ranked methods, in the order of the standings.
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
    def exploratory(self) -> bool:
        """Whether fewer than 5 seeds stand behind it in any world."""
        return self.contest.n_seeds < EXPLORATORY_BELOW

    def pair(self, one: str, other: str) -> Pair:
        """The pair of two ranked methods."""
        return next(pair for pair in self.pairs if {pair.first, pair.second} == {one, other})


def rank(contest: Contest, question: Question, read: Mapping[str, Scores | NotRanked]) -> Ranking:
    """Decide a contest.

    Every pair is tested by what both have in common: seeds and prompts where both were stored by
    prompt, else seeds, else nothing. Two methods tie where Holm's correction over all pairs of the
    contest leaves p above 0.05.

    Args:
        contest: the methods.
        question: what was asked.
        read: what `overopt.report.comparison.readings.read_contest` found.
    """
    scores = {name: one for name, one in read.items() if not isinstance(one, NotRanked)}
    own = {name: _own(one) for name, one in scores.items()}
    order = sorted(scores, key=lambda name: (-own[name].mean, name))
    couples = [(a, b) for i, a in enumerate(order) for b in order[i + 1 :]]
    worlds = [_paired(scores[a], scores[b]) for a, b in couples]
    found = [difference(one) for one in worlds]
    adjusted: list[float] = []
    if found:
        adjusted = adjust_holm([1.0 if one.p is None else one.p for one in found]).tolist()
    pairs = tuple(
        Pair(
            first,
            second,
            one,
            within_worlds(paired),
            None if one.p is None else p,
            smallest_seen(one.parts, ALPHA / len(couples)) if one.parts else None,
            probability_of_improvement(
                [score.value_S for score in scores[first].values()],
                [score.value_S for score in scores[second].values()],
            ),
        )
        for (first, second), paired, one, p in zip(couples, worlds, found, adjusted, strict=True)
    )  # fmt: skip
    better_MM = np.zeros((len(order), len(order)), np.bool_)
    for pair in pairs:
        if pair.differs:
            better_MM[order.index(pair.first), order.index(pair.second)] = True
    groups = tie_groups(better_MM | better_MM.T)
    entrants = {one.method: one for one in contest.entrants}
    standings = [
        Standing(
            name,
            entrants[name].family,
            entrants[name].sees_proxy,
            own[name],
            float(np.mean([one.kl_nats for one in scores[name].values()])),
            ranks,
            ties,
            "; ".join(dict.fromkeys(filter(None, (one.note for one in scores[name].values())))),
        )
        for name, ranks, ties in zip(
            order, rank_ranges(better_MM), letters(groups, len(order)), strict=True
        )
    ]
    standings += [
        Standing(name, entrants[name].family, entrants[name].sees_proxy, None, None, None, "",
                 one.reason)
        for name, one in sorted(read.items()) if isinstance(one, NotRanked)
    ]  # fmt: skip
    return Ranking(contest, question, tuple(standings), pairs, scores)


def _own(scores: Scores) -> Score:
    """A method's own mean, over worlds where there are several."""
    crossed = [one.own for one in scores.values()]
    if len(crossed) == 1:
        return Score(crossed[0].mean, crossed[0].low, crossed[0].high, crossed[0].over)
    means = over_worlds(crossed)
    decisive = means.decisive
    assert decisive.mean is not None, "there is at least one world"
    over = "these worlds" if decisive is means.within else "worlds"
    return Score(decisive.mean, decisive.low, decisive.high, over)


def _paired(first: Scores, second: Scores) -> list[Paired]:
    """The difference in each world, by the strongest pairing that both allow."""
    found = []
    for world, x in first.items():
        y = second[world]
        if x.value_SB is not None and y.value_SB is not None and (
            x.value_SB.shape == y.value_SB.shape
            and x.value_SB.shape[1] > 1
        ):  # fmt: skip
            found.append(paired_by_prompt(x.value_SB, y.value_SB))
        elif x.by_seed and y.by_seed:
            found.append(paired_by_seed(x.value_S, y.value_S))
        else:
            found.append(not_paired(x.own, y.own))
    return found
