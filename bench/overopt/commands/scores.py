"""``bench scores``: curves and fits from a table of scored samples; no model needed."""

from __future__ import annotations

from pathlib import Path

from overopt.commands.printing import open_console
from overopt.errors import printable
from overopt.own_scores.scores_file import read_scores
from overopt.own_scores.text import curve_table, describe_fit, describe_rows
from overopt.stats.pools.listed import POOL_CAVEAT
from overopt.stats.scored import analyze


def scores(
    file: Path,
    gold: str | None,
    proxies: list[str],
    prompt: str | None,
    sample: str | None,
    response: str | None,
    out: Path | None,
) -> int:
    """Read, analyze, write where a folder is given, and print.

    What is written comes first, so that a folder that cannot be written is all one hears of.
    """
    read = read_scores(file, gold, proxies or None, prompt, sample, response)
    reports = analyze(read.table)
    written = []
    if out is not None:
        from overopt.own_scores.folder import write_folder

        written = write_folder(out, reports)
    console = open_console()
    for report in reports:
        console.print(curve_table(report, read.gold))
        for line in (*describe_fit(report), *describe_rows(report)):
            console.print(line)
        console.print()
    for note in (*read.notes, POOL_CAVEAT):
        console.print(f"note: {printable(note)}")
    for path in written:
        console.print(f"{path}", soft_wrap=True)
    return 0
