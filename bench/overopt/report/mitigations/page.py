"""What beats the plain methods, as the tables of a documentation page.

    python -m overopt.report.mitigations.page results bench/overopt/docs/mitigations.md

writes the page's part below its marker anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from overopt.report.comparison.comparison import compare_groups
from overopt.report.comparison.contest import Pair, Ranking, show_interval, show_p
from overopt.report.comparison.question import Question
from overopt.report.comparison.systems import Compared
from overopt.report.comparison.words import join, verdict
from overopt.report.doc_pages import marker, remake, renewed
from overopt.report.groups import group_results
from overopt.report.mitigations.questions import QUESTIONS, Asked
from overopt.report.stored.reading import read_results
from overopt.report.stored.selection import Selection
from overopt.report.tables.text import MISSING, show_number

SMALL_SDS = 0.01
"""A difference below this is told with its size: shown is not large."""

MARKER = marker("python -m overopt.report.mitigations.page results")


def mitigations(results: Path, questions: Sequence[Asked] = QUESTIONS) -> str:
    """Every comparison as Markdown.

    Args:
        results: the folder that holds the folders of the questions.
        questions: what is compared.

    Raises:
        UserError: runs are missing or damaged, or a baseline is not among them.
    """
    answers = [_Answer(one, baseline, tuple(rankings)) for one in questions
               for baseline, rankings in _answers(results, one)]  # fmt: skip
    lines = ["## In short", ""]
    for one in answers:
        lines += [_in_short(one, ranking) for ranking in one.rankings]
    lines.append("")
    for asked in questions:
        lines += [f"## {asked.title}", ""]
        for one in answers:
            if one.asked is asked:
                lines += _section(one)
    return "\n".join(lines)


class _Answer(NamedTuple):
    """One question with one of its baselines, and the contests in which that is ranked."""

    asked: Asked
    baseline: str
    rankings: tuple[Ranking, ...]


def _answers(results: Path, asked: Asked) -> Iterator[tuple[str, list[Ranking]]]:
    read = read_results([results / asked.folder], Selection(asked.methods, (), (asked.noise,)))
    groups = group_results(read)
    of: Compared = "systems" if asked.systems else "methods"
    for baseline in asked.baselines:
        question = Question.ask("gold-at-kl", asked.at_kl_nats, baseline)
        found = compare_groups(read, groups, {}, question, asked.proxies, of)
        yield baseline, [one for one in found.rankings if one.baseline is not None]


def _in_short(one: _Answer, ranking: Ranking) -> str:
    """What is shown, of how many comparisons."""
    shown = [pair for pair in ranking.pairs if pair.differs]
    told = _told_of_gold(ranking)
    better = [_sized(p.first, p) + told[p.first] for p in shown if p.second == one.baseline]
    worse = [_sized(p.second, p) + told[p.second] for p in shown if p.first == one.baseline]
    named = [
        f"{kind} {', '.join(names)}" for kind, names in (("better", better), ("worse", worse))
        if names
    ]  # fmt: skip
    count = len(ranking.pairs)
    said = "; ".join(named) or "nothing is shown to be better or worse"
    several = len({other.contest.task for other in one.rankings}) > 1
    where = f", on {ranking.contest.task}" if several else ""
    return f"- {one.asked.title}{where}, against `{one.baseline}`: {said} (of {count})."


def _told_of_gold(ranking: Ranking) -> dict[str, str]:
    """What stands behind each method's name: whether it was told more of gold than labels say."""
    return {
        one.method: "" if one.uses_gold == "none" else " (uses gold)"
        for one in ranking.contest.entrants
    }


def _sized(method: str, pair: Pair) -> str:
    """A method, with the size of its difference where that is small."""
    size = abs(pair.difference.mean)
    return f"{method} (by {size:.1g} SDs)" if size < SMALL_SDS else method


def _section(one: _Answer) -> list[str]:
    lines = ["```sh", one.asked.command(one.baseline), "```", ""]
    for ranking in one.rankings:
        lines += [_told(ranking), "", *_table(ranking), ""]
    if not one.rankings:
        lines += [f"{one.baseline} is not ranked at {one.asked.at_kl_nats:g} nats.", ""]
    return lines


def _told(ranking: Ranking) -> str:
    contest = ranking.contest
    where = f"{contest.task}, {contest.n_seeds} seeds"
    worlds = sorted(contest.seeds_of)
    where += f", {len(worlds)} worlds" if len(worlds) > 1 else f", world {worlds[0]}"
    return f"{where}. {verdict(ranking)}"


def _table(ranking: Ranking) -> list[str]:
    """Ranked methods, the highest first, and those that are not in one row."""
    header = (ranking.question.score, f"less {ranking.baseline}", "p (Holm)", "sees", "shown")
    lines = [f"| method | {' | '.join(header)} |", f"|---|{'---:|' * (len(header) - 1)}---|"]
    digits, told = ranking.question.digits, _told_of_gold(ranking)
    for one in ranking.ranked:
        pair, own = ranking.against_reference(one.method) or (None, None)
        p, sees = MISSING, MISSING
        if pair is not None:
            p, sees = show_p(pair.p_holm), show_number(pair.sees, digits)
        named = one.method + told[one.method]
        cells = (named, show_interval(one.score, digits), show_interval(own, digits), p, sees)
        lines.append(f"| {' | '.join(cells)} | {_shown(one.method, pair)} |")
    if ranking.unranked:
        unranked = [name + told[name] for name in ranking.unranked]
        named = join(unranked, named=len(unranked))
        lines += ["", f"Not every seed got there, so that no number stands for them: {named}."]
    return lines


def _shown(method: str, pair: Pair | None) -> str:
    if pair is None:
        return "the baseline"
    if not pair.differs:
        return MISSING
    return "**better**" if pair.first == method else "**worse**"


def page(before: str, results: Path, questions: Sequence[Asked] = QUESTIONS) -> str:
    """The page with its part below the marker made anew.

    Raises:
        UserError: the page has no marker, or runs are missing or damaged.
    """
    return renewed(before, MARKER, mitigations(results, questions))


if __name__ == "__main__":
    remake(sys.argv[1:], page)
