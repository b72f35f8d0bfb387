"""What beats the plain methods, as the tables of a documentation page.

    python -m overopt.report.mitigations.page results bench/overopt/docs/mitigations.md

writes the page's part below its marker anew.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from overopt.report.comparison.comparison import compare_groups
from overopt.report.comparison.contest import Pair, Ranking, show_interval, show_p
from overopt.report.comparison.question import Question
from overopt.report.comparison.systems import Compared
from overopt.report.comparison.words import join, verdict
from overopt.report.doc_pages import marker, renewed, write_page
from overopt.report.groups import group_results
from overopt.report.mitigations.questions import QUESTIONS, Asked
from overopt.report.stored.reading import read_results
from overopt.report.stored.selection import Selection
from overopt.report.tables.text import MISSING, show_number

MARKER = marker("python -m overopt.report.mitigations.page results")


def mitigations(results: Path, questions: Sequence[Asked] = QUESTIONS) -> str:
    """Every comparison as Markdown.

    Args:
        results: the folder that holds the folders of the questions.
        questions: what is compared.

    Raises:
        UserError: runs are missing or damaged, or a baseline is not among them.
    """
    return "\n".join(line for one in questions for line in _section(results, one))


def _section(results: Path, asked: Asked) -> list[str]:
    chosen = Selection(asked.methods, (), (asked.noise,))
    read = read_results([results / asked.folder], chosen)
    groups = group_results(read)
    lines = [f"## {asked.title}", ""]
    for baseline in asked.baselines:
        question = Question.ask("gold-at-kl", asked.at_kl_nats, baseline)
        of: Compared = "systems" if asked.systems else "methods"
        found = compare_groups(read, groups, {}, question, asked.proxies, of)
        met = [one for one in found.rankings if one.baseline is not None]
        lines += ["```sh", asked.command(baseline), "```", ""]
        for ranking in met:
            lines += [_told(ranking), "", *_table(ranking), ""]
        if not met:
            lines += [f"{baseline} is not ranked at {asked.at_kl_nats:g} nats.", ""]
    return lines


def _told(ranking: Ranking) -> str:
    contest = ranking.contest
    where = f"{contest.task}, {contest.n_seeds} seeds"
    worlds = sorted(contest.seeds_of)
    where += f", {len(worlds)} worlds" if len(worlds) > 1 else f", world {worlds[0]}"
    return f"{where}. {_plain(verdict(ranking))}"


def _table(ranking: Ranking) -> list[str]:
    """Ranked methods, the highest first, and those that are not in one row."""
    header = (ranking.question.score, f"less {ranking.baseline}", "p (Holm)", "sees", "shown")
    lines = [f"| method | {' | '.join(header)} |", f"|---|{'---:|' * (len(header) - 1)}---|"]
    digits = ranking.question.digits
    for one in ranking.ranked:
        pair, own = ranking.against_reference(one.method) or (None, None)
        p, sees = MISSING, MISSING
        if pair is not None:
            p, sees = show_p(pair.p_holm), show_number(pair.sees, digits)
        cells = (one.method, show_interval(one.score, digits), show_interval(own, digits), p, sees)
        lines.append(f"| {' | '.join(cells)} | {_shown(one.method, pair)} |")
    if ranking.unranked:
        named = join(ranking.unranked, named=len(ranking.unranked))
        lines += ["", f"Not every seed got there, so that no number stands for them: {named}."]
    return lines


def _shown(method: str, pair: Pair | None) -> str:
    if pair is None:
        return "the baseline"
    if not pair.differs:
        return MISSING
    return "**better**" if pair.first == method else "**worse**"


def _plain(text: str) -> str:
    """Words without line breaks."""
    return " ".join(text.split())


def page(before: str, results: Path, questions: Sequence[Asked] = QUESTIONS) -> str:
    """The page with its part below the marker made anew.

    Raises:
        UserError: the page has no marker, or runs are missing or damaged.
    """
    return renewed(before, MARKER, mitigations(results, questions))


def main(words: Sequence[str]) -> None:
    """Write the page of the second word from the results of the first."""
    results, target = map(Path, words)
    write_page(target, page(target.read_text(encoding="utf-8"), results))


if __name__ == "__main__":
    main(sys.argv[1:])
