"""From scores to decisions: pairs tested, Holm's correction, ties and the ranks left open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from functools import partial
from string import ascii_lowercase

import numpy as np

from overopt.report.comparison.contest import (
    ALPHA,
    Contest,
    Entrant,
    NotRanked,
    Pair,
    Ranking,
    Score,
    Scores,
    Standing,
    ranked_baseline,
)
from overopt.report.comparison.question import Question
from overopt.stats.arrays import Bools
from overopt.stats.comparisons.differences import (
    difference,
    not_paired,
    paired_by_prompt,
    paired_by_seed,
    within_worlds,
)
from overopt.stats.comparisons.improvement import probability_of_improvement
from overopt.stats.comparisons.parts import Difference, Paired
from overopt.stats.comparisons.power import smallest_seen
from overopt.stats.comparisons.ties import letters, rank_ranges, tie_groups
from overopt.stats.intervals import adjust_holm
from overopt.stats.world_means import over_worlds


def rank(contest: Contest, question: Question, read: Mapping[str, Scores | NotRanked]) -> Ranking:
    """Decide a contest.

    Every pair is tested by what both have in common: seeds and prompts where both were stored by
    prompt, else seeds, else nothing. Two methods tie where Holm's correction over all pairs of the
    contest leaves p above 0.05.

    A baseline narrows the question: only the pairs with it are tested, and corrected for together.
    Of M methods that is M - 1 tests instead of M (M - 1) / 2, so that smaller differences are
    seen; nothing is said of any other pair.

    Args:
        contest: the methods.
        question: what was asked.
        read: what `overopt.report.comparison.readings.read_contest` found.
    """
    scores = {name: one for name, one in read.items() if not isinstance(one, NotRanked)}
    own = {name: _own(one) for name, one in scores.items()}
    order = sorted(scores, key=lambda name: (-own[name].mean, name))
    baseline = ranked_baseline(question, scores)
    couples = [
        (a, b)
        for i, a in enumerate(order)
        for b in order[i + 1 :]
        if baseline is None or baseline in (a, b)
    ]
    by_seed = {name: {w: one.by_seed for w, one in mine.items()} for name, mine in scores.items()}
    worlds = [
        _paired(scores[a], scores[b], {w for w in scores[a] if by_seed[a][w] and by_seed[b][w]})
        for a, b in couples
    ]
    found = [difference(one) for one in worlds]
    adjusted: list[float] = []
    if found:
        adjusted = adjust_holm([1.0 if one.p is None else one.p for one in found]).tolist()
    pairs = tuple(
        Pair(
            first,
            second,
            one,
            within_worlds(paired) if one.across_worlds else one,
            None if one.p is None else p,
            partial(_improves, scores[first], scores[second]),
            partial(_sees, one, len(couples)),
        )
        for (first, second), paired, one, p in zip(couples, worlds, found, adjusted, strict=True)
    )
    place = {name: number for number, name in enumerate(order)}
    better_MM = np.zeros((len(order), len(order)), np.bool_)
    for pair in pairs:
        if pair.differs:
            better_MM[place[pair.first], place[pair.second]] = True
    ties_M = name_ties(better_MM | better_MM.T) if baseline is None else [""] * len(order)
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
            _noted(entrants[name], [one.note for one in scores[name].values()]),
        )
        for name, ranks, ties in zip(order, rank_ranges(better_MM), ties_M, strict=True)
    ]
    standings += [
        Standing(name, entrants[name].family, entrants[name].sees_proxy, None, None, None, "",
                 _noted(entrants[name], [one.reason]))
        for name, one in sorted(read.items()) if isinstance(one, NotRanked)
    ]  # fmt: skip
    return Ranking(contest, question, tuple(standings), pairs, scores)


def _noted(one: Entrant, notes: Iterable[str]) -> str:
    """What a reader must know of a method, each thing once, and that it was told of gold."""
    told = "" if one.uses_gold == "none" else f"uses gold ({one.uses_gold})"
    return "; ".join(dict.fromkeys(filter(None, (*notes, told))))


def name_ties(differs_MM: Bools) -> list[str]:
    """Each method's letters, or where the alphabet ends, with how many others it ties.

    Args:
        differs_MM: whether two methods differ, as `tie_groups` takes it.
    """
    groups = tie_groups(differs_MM)
    if len(groups) <= len(ascii_lowercase):
        return letters(groups, len(differs_MM))
    others_M = (~differs_MM).sum(axis=1) - 1
    return [f"{count} others" if count != 1 else "1 other" for count in others_M.tolist()]


def _improves(first: Scores, second: Scores) -> float:
    return probability_of_improvement(
        [score.value_S for score in first.values()], [score.value_S for score in second.values()]
    )


def _sees(one: Difference, n_pairs: int) -> float | None:
    return smallest_seen(one.parts, ALPHA / n_pairs) if one.parts else None


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


def _paired(first: Scores, second: Scores, by_seed: Set[int]) -> list[Paired]:
    """The difference in each world, by the strongest pairing that both allow.

    by_seed: worlds in which both allow pairing by seed.
    """
    found = []
    for world, x in first.items():
        y = second[world]
        if x.value_SB is not None and y.value_SB is not None and (
            x.value_SB.shape == y.value_SB.shape
            and x.value_SB.shape[1] > 1
        ):  # fmt: skip
            found.append(paired_by_prompt(x.value_SB, y.value_SB))
        elif world in by_seed:
            found.append(paired_by_seed(x.value_S, y.value_S))
        else:
            found.append(not_paired(x.own, y.own))
    return found
