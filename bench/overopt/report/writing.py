"""Writes a report: figures, tables and the page, each a pure function of the stored results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from overopt.errors import harmless
from overopt.report.across_worlds import across_worlds
from overopt.report.comparison.comparison import compare_within_reach
from overopt.report.comparison.readings import Measure
from overopt.report.comparison.sheet import comparison_sheet
from overopt.report.drawing import COMPARING, Job, draw_all, plan_figures
from overopt.report.fits import GroupFit, fit_group, fit_table
from overopt.report.folder import PAGE, check_folder, report_folder
from overopt.report.groups import curve_table, group_results
from overopt.report.page import make_page
from overopt.report.pareto.table import pareto_frame
from overopt.report.scoring import score_table, yardsticks
from overopt.report.stored.fold_tables import FoldKey, Tables
from overopt.report.stored.marking import mark_gold
from overopt.report.stored.reading import read_results
from overopt.report.stored.results import Results
from overopt.report.stored.run import Run
from overopt.report.stored.selection import EVERYTHING, Selection
from overopt.report.tables.stability import stability_frame
from overopt.report.tables.text import TextTable, write_csv, write_latex

Tell = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


def silent(what: str, done: int, of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Request:
    """What a report is to hold.

    Attributes:
        selection: which results.
        figures: kinds of static figures, ``drawing.KINDS``.
        workers: most processes that draw figures.
    """

    selection: Selection = EVERYTHING
    figures: tuple[str, ...] = COMPARING
    workers: int = 1


STANDARD = Request()


class Report(NamedTuple):
    """A report in memory: the page, figures to draw, tidy tables and tables for readers by name."""

    page: str
    jobs: list[Job]
    frames: dict[str, pd.DataFrame]
    shown: dict[str, TextTable]


def write_report(
    run_dirs: list[Path], out: Path, request: Request = STANDARD, tell: Tell = silent
) -> list[Path]:
    """Write figures, tables and the page of one or more runs into a folder.

    The output is a pure function of the stored results and of what is asked for: the same input
    gives the same bytes. A former report in the folder is replaced as a whole.

    Args:
        run_dirs: run folders (with ``run.json`` and ``points.csv``) or folders above them.
        out: folder to write into: new, empty, or a report.
        request: which results and figures.
        tell: is told how the work goes.

    Returns:
        The files written, the page first.

    Raises:
        UserError: when a folder holds no run, a stored result is incomplete or damaged, or the
            folder holds files that no report wrote.
    """
    check_folder(out)
    read = read_results(run_dirs, request.selection, lambda i, n: tell("reading runs", i, n))
    results = mark_gold(read)
    report = compose_report(results, request.figures, tell)
    with report_folder(out) as staged:
        (staged / PAGE).write_bytes(harmless(report.page).encode())
        names = [PAGE]
        names += draw_all(
            report.jobs, staged, request.workers, lambda i, n: tell("drawing figures", i, n)
        )
        for name, frame in report.frames.items():
            names.append(write_csv(frame, staged / f"{name}.csv").name)
        for name in ("scores", "fits"):
            names.append(write_latex(report.shown[name], staged / f"{name}.tex").name)
    return [out / name for name in names]


def compose_report(
    results: Results, figures: Iterable[str] = COMPARING, tell: Tell = silent
) -> Report:
    """Compute and word everything; draw and write nothing."""
    groups = group_results(results, lambda i, n: tell("averaging curves", i, n))
    means = [line for line in across_worlds(groups) if line.parts]
    fits: list[GroupFit] = []
    for number, group in enumerate(groups, start=1):
        fits += fit_group(group)
        tell("fitting curves", number, len(groups))
    fitted = fit_table(fits)
    measures = yardsticks(results)
    scores = score_table(groups, measures, fits)
    tell("comparing methods", 0, 1)
    compared = compare_within_reach(
        results,
        groups,
        {place: Measure(one.oracle, one.kl_max_nats) for place, one in measures.items()},
    )
    tell("comparing methods", 1, 1)
    tables = Tables(groups, scores, fitted, _runs_by_fold(results), results.trained)
    shown = tables.shown()
    families = results.families
    return Report(
        page=make_page(
            results,
            [*means, *groups],
            fits,
            tables.folds(),
            shown,
            families,
            comparison=comparison_sheet(compared.rankings, compared.verdicts, compared.notes)
            if compared
            else None,
        ),
        jobs=plan_figures(results, groups, fits, tuple(figures)),
        frames={
            "curves": curve_table([*groups, *means]),
            "fits": fitted,
            "scores": scores,
            "pareto": pareto_frame(results),
            "stability": stability_frame(groups, results.trained),
        },
        shown=shown,
    )


def _runs_by_fold(results: Results) -> dict[FoldKey, list[Run]]:
    runs: dict[FoldKey, list[Run]] = {}
    for task in results.tasks:
        for run in results.of_task(task):
            for method in sorted(set(run.points["method"])):
                runs.setdefault((task, method), []).append(run)
    return runs
