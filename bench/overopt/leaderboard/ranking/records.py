"""Records: the best gold at a fixed KL so far, and what it takes to break one.

An entry of at most 100 lines breaks the record of its setting where its gold is higher in the same
worlds and seeds, with p < 0.01 in the paired test of the two, not corrected for how many have
tried: a record is an event, and the ranks say who is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overopt.leaderboard.ranking.entries import facts_in, facts_of, runs_in, runs_of
from overopt.leaderboard.ranking.facts import Facts, Status
from overopt.leaderboard.ranking.shown import BROKEN_BELOW, MOST_LINES, RECORD_KLS, Record
from overopt.leaderboard.ranking.unlike import unlike
from overopt.report.comparison.contest import Contest, NotRanked, Ranking, Score
from overopt.report.comparison.contests import make_contests
from overopt.report.comparison.question import Question
from overopt.report.comparison.ranking import rank
from overopt.report.comparison.readings import Measure, read_contest
from overopt.report.group import Group
from overopt.report.stored.results import Results

_LAST = "9999"
"""When a run ended that does not say: after all that do."""


def find_records(
    results: Results,
    groups: Sequence[Group],
    measures: Mapping[tuple[str, int], Measure],
    lines_of: Mapping[str, int],
    statuses: Mapping[str, Status] | None = None,
) -> list[Record]:
    """The records of every setting at 2 and at 8 nats, the first one first.

    What ran at other settings of the task than most entries of its contest sets none.

    Args:
        results: what was read.
        groups: its groups.
        measures: as boards take them.
        lines_of: lines of each method's file; methods that it lacks set no record.
        statuses: of submitted entries, by method.
    """
    known, ran = facts_of(results, "systems", statuses or {}), runs_of(results, "systems")
    contests, _ = make_contests(results, groups, "systems")
    found = []
    for contest in _widest(contests):
        facts = {one.method: facts_in(known, contest, one, "systems") for one in contest.entrants}
        runs = {one.method: runs_in(ran, contest, one, "systems") for one in contest.entrants}
        others = unlike(contest, "records", runs)
        for kl in RECORD_KLS:
            question = Question("gold-at-kl", kl)
            read = read_contest(contest, question, measures)
            scores = {name: one for name, one in read.items() if not isinstance(one, NotRanked)}
            eligible = {
                name: lines
                for name in scores
                if facts[name].uses_gold == "none"
                and name not in others
                and (lines := lines_of.get(method_of(name), MOST_LINES + 1)) <= MOST_LINES
            }
            order = sorted(eligible, key=lambda name: (facts[name].finished_utc or _LAST, name))
            holder: str | None = None
            for name in order:
                pair = {one: scores[one] for one in (name, holder) if one is not None}
                decided = rank(contest, question, pair)
                p = _breaks(decided, name, holder)
                if holder is None or p is not None:
                    own = next(one for one in decided.standings if one.method == name)
                    assert own.score is not None, "an eligible entry has a score"
                    found.append(
                        _record(contest.title, kl, name, own.score, p, eligible[name], facts[name])
                    )
                    holder = name
    return found


def _record(setting: str, kl: float, name: str, gold: Score, p: float | None, lines: int,
            facts: Facts) -> Record:  # fmt: skip
    return Record(
        setting=setting,
        at_kl_nats=kl,
        entry=name,
        gold=gold.mean,
        low=gold.low,
        high=gold.high,
        p=p,
        lines=lines,
        rates=facts.rates,
        status=facts.status,
        finished_utc=facts.finished_utc,
    )


def method_of(system: str) -> str:
    """The name of the method in the name of a system, without what else its label says."""
    return system.split(" × ")[0].split(",")[0]


def _breaks(decided: Ranking, name: str, holder: str | None) -> float | None:
    """The p value where the first one has broken the other's record."""
    if holder is None or not decided.pairs:
        return None
    pair = decided.pairs[0]
    p = pair.difference.p
    return p if pair.first == name and p is not None and p < BROKEN_BELOW else None


def _widest(contests: Sequence[Contest]) -> list[Contest]:
    """Of every task and noise the contest of most worlds, then of most entries."""
    best: dict[tuple[str, str], Contest] = {}
    for one in contests:
        key = one.task, one.noise
        size = len(one.seeds_of), one.n_seeds, len(one.entrants)
        held = best.get(key)
        if held is None or size > (len(held.seeds_of), held.n_seeds, len(held.entrants)):
            best[key] = one
    return [best[key] for key in sorted(best)]
