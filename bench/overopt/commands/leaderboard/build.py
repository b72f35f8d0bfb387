"""``bench leaderboard build`` and ``check``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from overopt.catalog import lookup
from overopt.commands.printing import open_console, print_text
from overopt.commands.steps import Steps
from overopt.errors import UserError
from overopt.leaderboard.ranking.boards import make_boards
from overopt.leaderboard.ranking.records import find_records
from overopt.leaderboard.ranking.rows import show_board
from overopt.leaderboard.ranking.shown import Leaderboard
from overopt.leaderboard.ranking.submitted import Reader, Submitted, submitted_runs
from overopt.leaderboard.site.writing import compare_tables, publish, write_site
from overopt.report.comparison.readings import Measure
from overopt.report.folder import check_folder
from overopt.report.groups import group_results
from overopt.report.scoring import yardsticks
from overopt.report.stored.reading import read_results
from overopt.report.stored.run_folder import published

Tell = Callable[[str, int, int], None]


def build(results: Path, submissions: Path, out: Path, with_tables: bool, reader: Reader) -> int:
    """Write the site, and the committed tables where that is asked; returns the exit code.

    Args:
        results: committed results.
        submissions: a folder of submissions, which need not be there.
        out: of the site.
        with_tables: whether the committed tables are written too.
        reader: reads submissions.
    """
    check_folder(out)
    found = _tell(results, submissions, reader)
    page, *others = write_site(found, out)
    if with_tables:
        others += publish(found, results)
    for path in others:
        print_text(str(path))
    print_text(f"Open {page}")
    return 0


def check(results: Path, submissions: Path, reader: Reader) -> int:
    """Compare the committed tables with those of the results; 1 where they differ."""
    told = compare_tables(_tell(results, submissions, reader), results)
    for sentence in told:
        print_text(sentence)
    if told:
        print_text("Give: bench leaderboard build --publish")
        return 1
    print_text("The committed tables are those of the results.")
    return 0


def _tell(results: Path, submissions: Path, reader: Reader) -> Leaderboard:
    if not results.is_dir():
        raise UserError(f"--results {results}: there is no such folder; give one with run folders.")
    with Steps(open_console(stderr=True)) as steps:
        return rank_all(results, submissions, reader, steps.tell)


def rank_all(results: Path, submissions: Path, reader: Reader, tell: Tell) -> Leaderboard:
    """Every board and record of the committed results and of the submissions.

    Args:
        results: committed results.
        submissions: a folder of submissions, which need not be there.
        reader: reads submissions.
        tell: is told how the work goes.

    Raises:
        UserError: a folder is damaged, or nothing can be compared.
    """
    with submitted_runs(submissions, reader) as submitted:
        return _rank(results, submitted, tell)


def _rank(results: Path, submitted: Submitted, tell: Tell) -> Leaderboard:
    read = read_results(
        [*published(results), *submitted.runs], tell=lambda done, of: tell("reading runs", done, of)
    )
    groups = group_results(read, lambda done, of: tell("averaging curves", done, of))
    measures = {
        place: Measure(one.oracle, one.kl_max_nats) for place, one in yardsticks(read).items()
    }
    tell("comparing entries", 0, 1)
    boards = make_boards(read, groups, measures, submitted.statuses)
    if not boards:
        raise UserError(
            f"{results} holds no two entries of a track that share task, noise, worlds and seeds; "
            "run them with the same options."
        )
    lines = {**shipped_lines(), **submitted.lines}
    records = find_records(read, groups, measures, lines, submitted.statuses)
    tell("comparing entries", 1, 1)
    return Leaderboard(tuple(map(show_board, boards)), tuple(records), len(read.runs))


def shipped_lines() -> Mapping[str, int]:
    """Lines of every shipped method's file."""
    return {
        name: len(path.read_text(encoding="utf-8").splitlines())
        for name, path in lookup.files("methods").items()
    }
