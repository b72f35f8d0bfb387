"""``bench scores``: curves and fits from a table of scored samples; no model needed."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from overopt.own_scores.output import staging_folder, write_scores
from overopt.own_scores.scores_file import read_scores
from overopt.own_scores.text import curve_table, describe_fit, describe_rows, printable
from overopt.stats.scored import ProxyReport, analyze


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
    written = [] if out is None else write(out, reports)
    console = Console(highlight=False)
    for report in reports:
        console.print(curve_table(report, read.gold))
        for line in (*describe_fit(report), *describe_rows(report)):
            console.print(line, markup=False)
        console.print()
    for note in read.notes:
        console.print(f"note: {printable(note)}", markup=False)
    for path in written:
        console.print(f"{path}", soft_wrap=True, markup=False)
    return 0


def write(out: Path, reports: tuple[ProxyReport, ...]) -> list[Path]:
    """Write curve.csv, fits.json and the figures into a folder: all of them or none."""
    from overopt.own_scores.figure import draw_scores
    from overopt.report.style import save_figure

    with staging_folder(out) as staged:
        files = [*write_scores(staged, reports)]
        for drawing in draw_scores(reports):
            files += save_figure(drawing.figure, staged / drawing.name)
    return [out / file.name for file in files]
