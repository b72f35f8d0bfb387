"""Writes a report: figures, tables and the page, each a pure function of the stored results."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from overopt.errors import UserError
from overopt.report.across_worlds import across_worlds
from overopt.report.figures.along_kl import draw_front, draw_gap, draw_gold
from overopt.report.figures.estimators import draw_estimators
from overopt.report.figures.fits import draw_fits, draw_residuals
from overopt.report.figures.style import Drawing, save_figure
from overopt.report.figures.training import draw_training
from overopt.report.fits import GroupFit, fit_group, fit_table
from overopt.report.group import Group
from overopt.report.groups import curve_table, group_results
from overopt.report.page import Chapter, make_page
from overopt.report.scoring import score_table, yardsticks
from overopt.report.stored.reading import read_results
from overopt.report.stored.results import Results
from overopt.report.tables.peaks import show_contrasts, show_gaps, show_worlds, summarize
from overopt.report.tables.scores import show_fits, show_scores
from overopt.report.tables.text import TextTable, write_csv, write_latex


class Report(NamedTuple):
    """A report in memory: the page, figures by task, tidy tables and tables for readers by name."""

    page: str
    chapters: list[Chapter]
    frames: dict[str, pd.DataFrame]
    shown: dict[str, TextTable]


def write_report(run_dirs: list[Path], out: Path) -> list[Path]:
    """Write figures, tables and the page of one or more runs into a folder.

    The output is a pure function of the stored results: the same input gives the same bytes.

    Args:
        run_dirs: run folders (with ``run.json`` and ``points.csv``) or folders above them.
        out: folder to write into; created when missing, files of the same name are replaced.

    Returns:
        The files written, the page first.

    Raises:
        UserError: when a folder holds no run, or a stored result is incomplete or damaged.
    """
    report = compose_report(read_results(run_dirs))
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = [out / "report.html"]
        written[0].write_bytes(report.page.encode())
        for chapter in report.chapters:
            folder = out if len(report.chapters) == 1 else out / _folder_name(chapter.task)
            folder.mkdir(exist_ok=True)
            for drawing in chapter.drawings:
                written += save_figure(drawing.figure, folder / drawing.name)
        for name, frame in report.frames.items():
            written.append(write_csv(frame, out / f"{name}.csv"))
        for name in ("scores", "fits"):
            written.append(write_latex(report.shown[name], out / f"{name}.tex"))
    except OSError as error:
        raise UserError(
            f"The report cannot be written to {out} ({error.strerror}); give another folder "
            "with --out."
        ) from error
    return written


def compose_report(results: Results) -> Report:
    """Compute, draw and word everything, and write nothing."""
    groups = group_results(results)
    means = [line for line in across_worlds(groups) if line.parts]
    fits = [one for group in groups for one in fit_group(group)]
    fitted = fit_table(fits)
    scores = score_table(groups, yardsticks(results), fits)
    chapters = [Chapter(task, draw_task(results, task, groups, fits)) for task in results.tasks]
    tables = (
        show_contrasts(groups),
        show_worlds(groups),
        summarize(groups),
        show_scores(scores),
        show_fits(fitted),
        show_gaps(groups),
    )
    shown = {table.name: table for table in tables}
    return Report(
        page=make_page(results, groups, chapters, shown),
        chapters=chapters,
        frames={"curves": curve_table([*groups, *means]), "fits": fitted, "scores": scores},
        shown=shown,
    )


def draw_task(
    results: Results, task: str, groups: list[Group], fits: list[GroupFit]
) -> list[Drawing]:
    """All figures of one task, in the order of the page."""
    lines = across_worlds([group for group in groups if group.task == task])
    my_fits = [one for one in fits if one.group.task == task]
    points = results.points[results.points["task_label"] == task]
    return [
        *draw_gold(lines, "d"),
        *draw_gold(lines, "kl"),
        *draw_gap(lines),
        *draw_fits(my_fits),
        *draw_residuals(my_fits),
        *draw_front(lines, {world: results.front(task, world) for world in results.worlds(task)}),
        *draw_estimators(points),
        *draw_training(results.of_task(task)),
    ]


def _folder_name(task: str) -> str:
    """A task's name as a folder: nothing but letters, digits, dashes and underscores."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in task)
