"""``bench leaderboard build`` and ``check``."""

from __future__ import annotations

from pathlib import Path

from overopt.commands.printing import open_console, print_text
from overopt.commands.steps import Steps
from overopt.errors import UserError
from overopt.leaderboard.site.build import (
    Leaderboard,
    compare_tables,
    publish,
    rank_all,
    write_site,
)
from overopt.report.folder import check_folder


def build(results: Path, submissions: Path, out: Path, with_tables: bool) -> int:
    """Write the site, and the committed tables where that is asked; returns the exit code."""
    check_folder(out)
    found = _rank(results, submissions)
    page, *others = write_site(found, out)
    if with_tables:
        others += publish(found, results)
    for path in others:
        print_text(str(path))
    print_text(f"Open {page}")
    return 0


def check(results: Path, submissions: Path) -> int:
    """Compare the committed tables with those of the results; 1 where they differ."""
    told = compare_tables(_rank(results, submissions), results)
    for sentence in told:
        print_text(sentence)
    if told:
        print_text("Give: bench leaderboard build --publish")
        return 1
    print_text("The committed tables are those of the results.")
    return 0


def _rank(results: Path, submissions: Path) -> Leaderboard:
    if not results.is_dir():
        raise UserError(f"--results {results}: there is no such folder; give one with run folders.")
    with Steps(open_console(stderr=True)) as steps:
        return rank_all(results, submissions, steps.tell)
