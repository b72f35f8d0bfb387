"""Measures of tasks and worlds what admission asks for, from run folders with controls."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from overopt.leaderboard.admission.checks import Apart, Gain, Measured
from overopt.report.across_worlds import across_worlds
from overopt.report.comparison.contest import Contest, NotRanked, Scores
from overopt.report.comparison.contests import make_contests
from overopt.report.comparison.question import Question
from overopt.report.comparison.ranking import rank
from overopt.report.comparison.readings import read_contest
from overopt.report.group import Group
from overopt.report.stored.results import Results
from overopt.stats.crossed import Crossed

PROXY = "single"
CONTROLS = ("control-gold", "control-longest", "control-random", "control-constant")
READ_AT_NATS = 1.0
"""Where rewards are compared, fixed beforehand; nearer where somebody does not get there."""

_UNKNOWN = Gain(math.nan, math.nan, math.nan)
_NOT_APART = Apart(math.nan, 1.0, math.nan)


def measure_tasks(results: Results, groups: Sequence[Group]) -> Iterator[Measured]:
    """Every task and method that met all controls: over all worlds, then world by world.

    Args:
        results: runs against `PROXY` and `CONTROLS`.
        groups: their groups.
    """
    lines = across_worlds(groups)
    contests, _ = make_contests(results, groups, "proxies")
    for contest in contests:
        names = {_name(one.method) for one in contest.entrants}
        if not {PROXY, *CONTROLS} <= names:
            continue
        worlds = sorted(contest.seeds_of)
        yield _measure(contest, lines if len(worlds) > 1 else groups, True)
        for world in worlds:
            alone = replace(contest, seeds_of={world: contest.seeds_of[world]})
            yield _measure(alone, groups, False)


def _name(label: str) -> str:
    return label.split(",")[0]


def _measure(contest: Contest, groups: Sequence[Group], whole: bool) -> Measured:
    entrants = {_name(one.method): one.method for one in contest.entrants}
    line = next(
        one
        for one in groups
        if (one.task, one.method, one.proxy, one.noise)
        == (contest.task, contest.proxy, entrants[PROXY], contest.noise)
        and set(one.worlds) == set(contest.seeds_of)
    )
    reach = {name: _reach(contest, entrants[name]) for name in entrants}
    kl = min(READ_AT_NATS, *(reach[one] for one in (PROXY, "control-gold", "control-random")))
    longest_kl = min(READ_AT_NATS, reach["control-longest"], reach["control-gold"])
    scores = _read(contest, entrants, kl)
    short = _read(contest, entrants, longest_kl)
    places = line.places
    still = reach["control-constant"]
    return Measured(
        task=contest.task,
        whole=whole,
        worlds=tuple(sorted(contest.seeds_of)),
        seeds=contest.n_seeds,
        method=contest.proxy,
        kl_nats=kl,
        peak=_gain(places.peak.gold if places.peak else None),
        peak_kl_nats=places.peak.kl_nats if places.peak else math.nan,
        fall=_gain(places.fall),
        end_kl_nats=places.end.kl_nats if places.end else math.nan,
        gold=_own(contest, scores, "control-gold"),
        proxy=_own(contest, scores, PROXY),
        random=_own(contest, scores, "control-random"),
        longest=_own(contest, short, "control-longest"),
        longest_kl_nats=longest_kl,
        constant_kl_nats=_furthest(contest, entrants["control-constant"]),
        constant_gold=_own(contest, _read(contest, entrants, still), "control-constant"),
        gold_proxy=_apart(contest, scores, "control-gold", PROXY),
        proxy_random=_apart(contest, scores, PROXY, "control-random"),
        gold_longest=_apart(contest, short, "control-gold", "control-longest"),
    )


def _gain(one: Crossed | None) -> Gain:
    if one is None:
        return _UNKNOWN
    low = math.nan if one.low is None else one.low
    return Gain(one.mean, low, math.nan if one.high is None else one.high)


def _ends(contest: Contest, label: str) -> list[float]:
    """The largest KL of each seed of a reward; 0 where nothing was measured beyond the start."""
    entrant = next(one for one in contest.entrants if one.method == label)
    found = []
    for world, seeds in contest.seeds_of.items():
        by_seed = {one.seed: one for one in entrant.groups[world].seeds}
        found += [float(by_seed[one].kl_nats_K[-1]) if one in by_seed else 0.0 for one in seeds]
    return found


def _reach(contest: Contest, label: str) -> float:
    """The largest KL that every seed has."""
    return min(_ends(contest, label))


def _furthest(contest: Contest, label: str) -> float:
    """The largest KL that any seed has."""
    return max(_ends(contest, label))


def _read(contest: Contest, entrants: Mapping[str, str], kl: float) -> dict[str, Scores]:
    """Gold of every reward that gets to a KL, as `bench compare` reads it."""
    if kl <= 0:
        return {}
    found = read_contest(contest, Question("gold-at-kl", kl), {})
    names = {label: name for name, label in entrants.items()}
    return {names[label]: one for label, one in found.items() if not isinstance(one, NotRanked)}


def _own(contest: Contest, scores: Mapping[str, Scores], name: str) -> Gain:
    if name not in scores:
        return _UNKNOWN
    score = rank(contest, Question(), {_label(contest, name): scores[name]}).standings[0].score
    assert score is not None, "what was read has a score"
    low = math.nan if score.low is None else score.low
    return Gain(score.mean, low, math.nan if score.high is None else score.high)


def _label(contest: Contest, name: str) -> str:
    return next(one.method for one in contest.entrants if _name(one.method) == name)


def _apart(contest: Contest, scores: Mapping[str, Scores], first: str, second: str) -> Apart:
    """Two rewards in the same cells: the one paired test of `bench compare`, of these two alone."""
    if first not in scores or second not in scores:
        return _NOT_APART
    names = {_label(contest, one): scores[one] for one in (first, second)}
    (pair,) = rank(contest, Question(), names).pairs
    sign = 1.0 if _name(pair.first) == first else -1.0
    p, sees = pair.difference.p, pair.sees
    return Apart(
        sign * pair.difference.mean, 1.0 if p is None else p, math.nan if sees is None else sees
    )
