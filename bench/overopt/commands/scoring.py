"""``bench scores``: curves and fits from a table of scored samples; no model needed."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from overopt.report.scored import draw_scores
from overopt.scores_file import read_scores, write_scores
from overopt.stats.scored import analyse


def scores(
    file: Path,
    gold: str | None,
    proxies: list[str],
    prompt: str | None,
    sample: str | None,
    response: str | None,
    out: Path | None,
) -> int:
    """Read, analyse, print, and write where a folder is given."""
    read = read_scores(file, gold, proxies or None, prompt, sample, response)
    reports = analyse(read.table)
    console = Console()
    for report in reports:
        console.print(_table(report))
        console.print(_words(report), markup=False)
    for note in notes(read):
        console.print(note, markup=False)
    if out is not None:
        write_scores(out, reports)
        for path in ("curve.csv", "fits.json"):
            console.print(f"{out / path}", soft_wrap=True, markup=False)
        for drawn in draw_scores(reports, out):
            console.print(f"{drawn}", soft_wrap=True, markup=False)
    return 0
