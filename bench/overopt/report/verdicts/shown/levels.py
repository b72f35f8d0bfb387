"""Draws statistics of arms over the levels of a setting, with intervals over seeds."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.figure import Figure as Canvas

from overopt.report.figures.levels import label_y, marks_in_order
from overopt.report.figures.style import FAINT
from overopt.report.verdicts.arms import Measured, NotMeasured, OutOfReach, Scope
from overopt.report.verdicts.level_figure import LevelFigure, ReadOfArms
from overopt.stats.intervals import Interval, t_interval


class Line(NamedTuple):
    """One line of a figure: where it was measured, and how many seeds are behind each place."""

    label: str
    x_L: list[float]
    found_L: list[Interval]


def lines_of(one: LevelFigure, measured: Measured) -> list[Line]:
    """The lines that have a level; levels that were not measured are left out."""
    lines = []
    for label, levels in one.lines:
        read = [(x, _read(statistic, measured)) for x, statistic in levels]
        there = [(x, found) for x, found in read if found is not None]
        if there:
            lines.append(Line(label, [x for x, _ in there], [found for _, found in there]))
    return lines


def _read(statistic: ReadOfArms, measured: Measured) -> Interval | None:
    """Mean over the seeds of all worlds."""
    try:
        tables = statistic.read(Scope(measured, statistic.arms))
    except (NotMeasured, OutOfReach):
        return None
    return t_interval([float(seed) for table in tables.values() for seed in table.mean(axis=1)])


def draw_levels(one: LevelFigure, measured: Measured, width_in: float, height_in: float) -> Canvas:
    """A figure with a line per label, of which at least one was measured."""
    canvas = Canvas(figsize=(width_in, height_in), layout="constrained")
    axis = canvas.subplots()
    lines = lines_of(one, measured)
    for line, mark in zip(lines, marks_in_order([line.label for line in lines]), strict=True):
        low, high = (
            [0.0 if bound is None or found.mean is None else abs(found.mean - bound)
             for found, bound in zip(line.found_L, bounds, strict=True)]
            for bounds in ([f.low for f in line.found_L], [f.high for f in line.found_L])
        )  # fmt: skip
        axis.errorbar(
            line.x_L,
            [float("nan") if found.mean is None else found.mean for found in line.found_L],
            yerr=[low, high],
            color=mark.color,
            marker=mark.marker,
            markersize=3,
            linewidth=1.2,
            capsize=2,
            label=line.label,
        )
    if "SDs" in one.y:
        axis.axhline(0.0, color=FAINT, linewidth=0.6)
    axis.set_xlabel(one.x)
    axis.set_ylabel(label_y(one.y))
    canvas.legend(loc="outside lower center", ncols=2)
    return canvas


def levels_caption(one: LevelFigure, measured: Measured) -> str:
    """What is shown, over how many seeds, and which lines were not run."""
    lines = lines_of(one, measured)
    seeds = sorted({found.n for line in lines for found in line.found_L})
    missing = [label for label, _ in one.lines if label not in [line.label for line in lines]]
    parts = [f"After {one.of}.", f"Mean over {' or '.join(map(str, seeds))} seeds,"]
    parts += ["bars: 95 % t interval over seeds."]
    parts += [f"Not run: {', '.join(missing)}."] if missing else []
    return " ".join([*parts, one.note]).strip()
