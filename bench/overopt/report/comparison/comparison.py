"""Groups of results compared: the one place that puts contests, scores and decisions together."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from overopt.errors import UserError
from overopt.report.comparison.contest import Contest, Ranking
from overopt.report.comparison.contests import make_contests
from overopt.report.comparison.frames import pair_frame, profile_frame, table_frame
from overopt.report.comparison.question import Question
from overopt.report.comparison.ranking import rank
from overopt.report.comparison.readings import Measure, read_contest
from overopt.report.comparison.systems import Compared
from overopt.report.comparison.words import verdict
from overopt.report.group import Group
from overopt.report.stored.results import Results


@dataclass(frozen=True)
class Comparison:
    """Methods compared.

    Attributes:
        rankings: one per contest: a task, noise, proxy, set of worlds and of seeds.
        notes: what was kept apart, and why.
    """

    rankings: tuple[Ranking, ...]
    notes: tuple[str, ...]

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Which is best and is it significant, one per contest, named where there are several."""
        several = len(self.rankings) > 1
        return tuple(
            f"{one.contest.title}: {verdict(one)}" if several else verdict(one)
            for one in self.rankings
        )

    @property
    def verdict(self) -> str:
        """The verdicts, a line each."""
        return "\n".join(self.verdicts)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per method and contest: score, interval, ranks, ties, difference to the best."""
        return table_frame(self.rankings)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """One row per pair: difference, interval, p values, power, probability of improvement."""
        return pair_frame(self.rankings)

    @cached_property
    def profiles(self) -> pd.DataFrame:
        """Performance profiles: share of runs above each score."""
        return profile_frame(self.rankings)

    def __str__(self) -> str:
        return self.verdict


def compare_groups(
    results: Results,
    groups: Sequence[Group],
    measures: Mapping[tuple[str, int], Measure],
    question: Question,
    proxies: Sequence[str] = (),
    of: Compared = "methods",
) -> Comparison:
    """Compare what can be compared.

    Args:
        results: the runs.
        groups: their groups (`overopt.report.groups.group_results`).
        measures: by task and world, what hypervolumes are a share of
            (`overopt.report.scoring.yardsticks`).
        question: what is asked.
        proxies: names of proxies; of none, all.
        of: ``methods`` against the same proxy, or ``systems``: methods together with the proxies
            that they see, such as ``bon × uwo``.

    Raises:
        UserError: no two methods share a setting, the baseline is none of them, or a stored table
            is damaged.
    """
    systems = of == "systems"
    contests, notes = make_contests(results, groups, of, proxies)
    if not contests:
        raise UserError(
            "There is nothing to compare: no two methods of these runs share task, gold, label "
            "noise, number of comparisons, initial policy, world, seed and (where they see one) "
            "proxy; run them with the same options. " + " ".join(notes)
        )
    met = contests if systems else _against(contests, proxies)
    return _decide(met, notes, question, measures)


def _against(contests: Sequence[Contest], proxies: Sequence[str]) -> list[Contest]:
    """The contests against these proxies, whatever the start and size of these are."""
    met = list(dict.fromkeys(one.proxy.split(",")[0] for one in contests if one.proxy))
    for name in proxies:
        if name not in met:
            known = f"there are: {', '.join(met)}" if met else "no method here sees a proxy"
            raise UserError(f"--proxy {name[:60]}: no methods meet against it; {known}.")
    return [one for one in contests if not proxies or one.proxy.split(",")[0] in proxies]


def compare_within_reach(
    results: Results, groups: Sequence[Group], measures: Mapping[tuple[str, int], Measure]
) -> Comparison | None:
    """Gold at 4 nats compared, or where nobody gets there, as far as two methods get.

    None where no two methods can be compared.

    Raises:
        UserError: a stored table is damaged.
    """
    contests, notes = make_contests(results, groups)
    found = _decide(contests, notes, Question(), measures)
    reached = [one.reach_nats for one in contests]
    known = [reach for reach in reached if reach is not None]
    if known and not any(len(one.ranked) > 1 for one in found.rankings):
        found = _decide(contests, notes, Question(at_kl_nats=max(known)), measures)
    return found if any(len(one.ranked) > 1 for one in found.rankings) else None


def _decide(
    contests: Sequence[Contest],
    notes: Sequence[str],
    question: Question,
    measures: Mapping[tuple[str, int], Measure],
) -> Comparison:
    methods = sorted({one.method for contest in contests for one in contest.entrants})
    if question.baseline is not None and question.baseline not in methods:
        near = difflib.get_close_matches(question.baseline, methods, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(
            f"--baseline {question.baseline[:60]!r} is not among the compared methods; {hint}"
            f"Choose one of {', '.join(methods)}."
        )
    rankings = tuple(
        rank(contest, question, read_contest(contest, question, measures)) for contest in contests
    )
    return Comparison(rankings, tuple(notes))
