"""Static figures: which there are, and how they are drawn in parallel and saved once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from overopt.errors import UserError
from overopt.execution.worker import spawning
from overopt.report.across_worlds import across_worlds
from overopt.report.fits import GroupFit
from overopt.report.group import Group
from overopt.report.pareto.table import pareto_frame
from overopt.report.stored.results import Results
from overopt.report.stored.run import Run

if TYPE_CHECKING:
    from overopt.report.figures.style import Drawing

COMPARING = ("gold", "gap", "front", "sizes")
"""Figures in which methods meet: drawn unless others are asked for."""
OF_METHODS = ("fits", "residuals", "estimators", "training")
"""Figures with panels for every method; the page draws all of them itself but training."""
OF_COSTS = ("pareto",)
"""The figure of what gold costs: drawn where it is asked for; its table always is."""
KINDS = (*COMPARING, *OF_METHODS, *OF_COSTS)


@dataclass(frozen=True)
class Material:
    """What the figures of one task are drawn from.

    Attributes:
        folder: where they go, relative to the report; empty for the report itself.
        lines: curves, means over worlds where several were run.
        fits: forms fitted to the task's curves.
        points: labeled points.
        runs: that hold rows of the task.
        oracles: oracle front by the seed of the world.
        pareto: gold of the task beside what it cost.
    """

    folder: str
    lines: list[Group]
    fits: list[GroupFit]
    points: pd.DataFrame
    runs: list[Run]
    oracles: Mapping[int, pd.DataFrame]
    pareto: pd.DataFrame


@dataclass(frozen=True)
class Job:
    """One kind of figure of one task."""

    kind: str
    material: Material


def check_figures(names: Sequence[str]) -> tuple[str, ...]:
    """Kinds of figures by their names; ``all`` and ``none`` stand for all and none.

    Raises:
        UserError: for a name that is no kind.
    """
    if not names:
        return COMPARING
    for name in names:
        if name not in (*KINDS, "all", "none"):
            raise UserError(
                f"--figures {name}: there is no such figure; give one or more of: "
                f"{', '.join(KINDS)}, or all, or none."
            )
    if "all" in names:
        return KINDS
    return tuple(kind for kind in KINDS if kind in names)


def plan_figures(
    results: Results, groups: Sequence[Group], fits: Sequence[GroupFit], kinds: Sequence[str]
) -> list[Job]:
    """The jobs that draw these kinds of figures for every task."""
    jobs = []
    paid = pareto_frame(results)
    for task in results.tasks:
        material = Material(
            _folder_name(task) if len(results.tasks) > 1 else "",
            across_worlds([group for group in groups if group.task == task]),
            [one for one in fits if one.group.task == task],
            results.points[results.points["task_label"] == task],
            results.of_task(task),
            {world: results.front(task, world) for world in results.worlds(task)},
            paid[paid["task"] == task],
        )
        jobs += [Job(kind, material) for kind in kinds]
    return jobs


def draw_all(
    jobs: Sequence[Job], out: Path, workers: int, tell: Callable[[int, int], None]
) -> list[str]:
    """Draw and save all figures, each once; several processes where there are several cores.

    Args:
        jobs: what to draw.
        out: the folder of the report.
        workers: most processes, of one thread each; with 1 everything is drawn in this one.
        tell: called with how many of how many jobs are done.

    Returns:
        The files written, relative to ``out``, in the order of the jobs.
    """
    files: dict[int, list[str]] = {}
    if workers < 2 or len(jobs) < 2:
        for place, job in enumerate(jobs):
            files[place] = draw_job(job, out)
            tell(len(files), len(jobs))
    else:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by the processes that start here
        count = min(workers, len(jobs))
        with ProcessPoolExecutor(count, mp_context=spawning()) as pool:
            futures = {pool.submit(draw_job, job, out): place for place, job in enumerate(jobs)}
            for future in as_completed(futures):
                files[futures[future]] = future.result()
                tell(len(files), len(jobs))
    return [name for place in sorted(files) for name in files[place]]


def draw_job(job: Job, out: Path) -> list[str]:
    """Draw and save the figures of one job; returns the files, relative to ``out``."""
    from overopt.report.figures.style import save_figure

    folder = out / job.material.folder
    folder.mkdir(exist_ok=True)
    files: list[str] = []
    for drawing in draw(job):
        saved = save_figure(drawing.figure, folder / drawing.name)
        files += [path.relative_to(out).as_posix() for path in saved]
    return files


def draw(job: Job) -> list[Drawing]:
    """The figures of one job."""
    from overopt.report.figures.along_kl import draw_front, draw_gap, draw_gold
    from overopt.report.figures.estimators import draw_estimators
    from overopt.report.figures.fits import draw_fits, draw_residuals
    from overopt.report.figures.sizes import draw_sizes
    from overopt.report.figures.training import draw_training
    from overopt.report.pareto.figure import draw_pareto

    material = job.material
    match job.kind:
        case "gold":
            return [*draw_gold(material.lines, "d"), *draw_gold(material.lines, "kl")]
        case "gap":
            return draw_gap(material.lines)
        case "front":
            return draw_front(material.lines, material.oracles)
        case "sizes":
            return draw_sizes(material.lines)
        case "fits":
            return draw_fits(material.fits)
        case "residuals":
            return draw_residuals(material.fits)
        case "estimators":
            return draw_estimators(material.points)
        case "training":
            return draw_training(material.runs)
        case "pareto":
            return draw_pareto(material.pareto)
        case _:
            raise ValueError(f"no figure is called {job.kind}")


def _folder_name(task: str) -> str:
    """A task's name as a folder: nothing but letters, digits, dashes and underscores."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in task)
