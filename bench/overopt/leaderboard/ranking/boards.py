"""Boards: what may be compared within a track, decided once for every question.

The decisions are those of ``overopt.report.comparison``: one contest holds entries that share task,
noise, data, initial policies, worlds and seeds, and here a track as well. Every pair of entries
that may rank is tested, and Holm's correction is over them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from overopt.leaderboard.ranking.board import QUESTIONS, TRACKS, Board, Decided
from overopt.leaderboard.ranking.entries import (
    Known,
    facts_in,
    facts_of,
    runs_in,
    runs_of,
    track_of,
)
from overopt.leaderboard.ranking.facts import Status, Track
from overopt.leaderboard.ranking.unlike import unlike
from overopt.report.comparison.contest import Contest, NotRanked, Scores
from overopt.report.comparison.contests import make_contests
from overopt.report.comparison.question import Question
from overopt.report.comparison.ranking import rank
from overopt.report.comparison.readings import Measure, read_contest
from overopt.report.comparison.systems import Compared
from overopt.report.group import Group
from overopt.report.stored.results import Results

Measures = Mapping[tuple[str, int], Measure]


def make_boards(
    results: Results,
    groups: Sequence[Group],
    measures: Measures,
    statuses: Mapping[str, Status] | None = None,
) -> list[Board]:
    """Every board of the results, by track, those of most worlds and entries first.

    Args:
        results: what was read.
        groups: its groups.
        measures: what hypervolumes are a share of.
        statuses: of submitted entries, by method.

    Raises:
        UserError: a stored table is damaged.
    """
    found = []
    kinds: tuple[Compared, ...] = ("methods", "proxies")
    for of in kinds:
        known, ran = facts_of(results, of, statuses or {}), runs_of(results, of)
        contests, _ = make_contests(results, groups, of)
        for track, contest in _split(contests, of):
            runs = {one.method: runs_in(ran, contest, one, of) for one in contest.entrants}
            others = unlike(contest, track, runs)
            found.append(_decide(track, contest, of, known, measures, others))
    return sorted(found, key=_order)


def _order(board: Board) -> tuple[object, ...]:
    contest = board.contest
    size = -len(contest.seeds_of), -len(contest.entrants)
    return TRACKS.index(board.track), *size, contest.task, contest.noise, contest.proxy


def _split(contests: Sequence[Contest], of: Compared) -> Iterator[tuple[Track, Contest]]:
    """Contests of one track each; none that another one holds already.

    A board of a proxy has two entries or more that see it: one alone beside those that see none
    would make a board of every proxy, and all of them would tell of the same runs.
    """
    seen: list[tuple[Track, Contest]] = []
    for contest in contests:
        for track in TRACKS:
            mine = [
                one
                for one in contest.entrants
                if ("reward side" if of == "proxies" else track_of(one)) == track
            ]
            if sum(one.sees_proxy for one in mine) < 2:
                mine = [one for one in mine if not one.sees_proxy]
            if len(mine) < 2:
                continue
            proxy = contest.proxy if any(one.sees_proxy for one in mine) else ""
            # an entry's facts tell its use of gold, with the rank that it does not get
            entrants = tuple(replace(one, uses_gold="none") for one in mine)
            part = replace(contest, entrants=entrants, proxy=proxy)
            if not any(_holds(other, part) for at, other in seen if at == track):
                seen.append((track, part))
                yield track, part


def _holds(other: Contest, part: Contest) -> bool:
    same = (other.task, other.noise) == (part.task, part.noise)
    same &= not part.proxy or other.proxy == part.proxy
    names = {one.method for one in other.entrants} >= {one.method for one in part.entrants}
    worlds = all(
        set(seeds) <= set(other.seeds_of.get(world, ())) for world, seeds in part.seeds_of.items()
    )
    return same and names and worlds


def _decide(
    track: Track,
    contest: Contest,
    of: Compared,
    known: Known,
    measures: Measures,
    others: Mapping[str, str],
) -> Board:
    facts = {one.method: facts_in(known, contest, one, of) for one in contest.entrants}
    withheld = {name: one.withheld(track) or others.get(name, "") for name, one in facts.items()}
    decided = tuple(decide(contest, question, withheld, measures) for question in QUESTIONS)
    return Board(track, contest, facts, decided)


def decide(
    contest: Contest, question: Question, withheld: Mapping[str, str], measures: Measures
) -> Decided:
    """Rank the entries that may; the others stand beside them with their scores.

    Where fewer than two may rank, all are tested against each other, and none is ranked: which of
    them differ at these settings is a fact, and no order of methods.

    Args:
        contest: the entries.
        question: what is asked.
        withheld: by entry, why it has no rank; empty for those that may.
        measures: what hypervolumes are a share of.
    """
    read = read_contest(contest, question, measures)
    free = {name for name, reason in withheld.items() if not reason}
    scored = {name for name, one in read.items() if not isinstance(one, NotRanked)}
    if len(free & scored) < 2:
        reasons = {name: withheld[name] or "no rank: nobody to rank against" for name in withheld}
        return Decided(question, rank(contest, question, read), (), reasons)
    tested: dict[str, Scores | NotRanked] = {name: read[name] for name in read if name in free}
    beside = tuple(rank(contest, question, {name: read[name]}) for name in sorted(set(read) - free))
    return Decided(question, rank(contest, question, tested), beside, withheld)
