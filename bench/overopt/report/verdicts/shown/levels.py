"""Draws statistics of arms over the levels of a setting, with intervals over seeds."""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib.figure import Figure as Canvas

from overopt.report.figures.levels import label_y, marks_in_order
from overopt.report.figures.style import FAINT, Mark
from overopt.report.verdicts.arms import Measured, ReadOfArms, arms_of
from overopt.report.verdicts.redrawn.levels import LevelFigure
from overopt.report.verdicts.shown.canvas import (
    HEIGHT_IN,
    WIDTH_IN,
    centers,
    draw_line,
    reaches,
    values_of,
)
from overopt.stats.intervals import Interval, t_interval

_UPRIGHT = 6
"""Names of bars that fit side by side."""
_BARS = 0.8
"""Share of the room of a level that its bars take."""


class Line(NamedTuple):
    """One line of a figure: where it was measured, and how many seeds are behind each place."""

    label: str
    x_L: list[float]
    found_L: list[Interval]


def lines_of(one: LevelFigure, measured: Measured) -> list[Line]:
    """The lines that have a level; levels that were not measured are left out."""
    lines = []
    for label, levels in one.lines:
        read = [(x, _read(one, x, statistic, measured)) for x, statistic in levels]
        there = [(x, found) for x, found in read if found is not None]
        if there:
            lines.append(Line(label, [x for x, _ in there], [found for _, found in there]))
    return lines


def _read(one: LevelFigure, x: float, statistic: ReadOfArms, measured: Measured) -> Interval | None:
    """Mean over the seeds of all worlds."""
    arms = statistic.arms
    if one.end == "figure":
        arms = one.arms
    elif one.end == "level":
        arms = arms_of(other for _, line in one.lines for at, other in line if at == x)
    values = values_of(statistic, measured, arms)
    return None if values is None else t_interval(values)


def draw(one: LevelFigure, measured: Measured) -> Canvas:
    """A figure with a line per label, of which at least one was measured."""
    canvas = Canvas(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    axis = canvas.subplots()
    lines = lines_of(one, measured)
    marks = marks_in_order([line.label for line in lines])
    for place, (line, mark) in enumerate(zip(lines, marks, strict=True)):
        if one.ticks:
            _bars(axis, one, line, mark, (place, len(lines)))
        else:
            draw_line(axis, line.x_L, line.found_L, mark, line.label)
    if one.ticks:
        slanted: dict[str, Any] = (
            {"rotation": 35, "ha": "right"} if len(one.ticks) > _UPRIGHT else {}
        )
        axis.set_xticks(range(len(one.ticks)), one.ticks, **slanted)
        axis.grid(visible=False, axis="x")
    rest = 0.0 if one.rest is None and (one.ticks or "SDs" in one.y) else one.rest
    if rest is not None:
        axis.axhline(rest, color=FAINT, linewidth=0.6)
    axis.set_xlabel(one.x)
    axis.set_ylabel(label_y(one.y))
    if len(one.lines) > 1 or not one.ticks:
        canvas.legend(loc="outside lower center", ncols=2)
    return canvas


def _bars(axis: Any, one: LevelFigure, line: Line, mark: Mark, place: tuple[int, int]) -> None:
    """The bars of one line, side by side with those of the others."""
    (number, lines), rest = place, one.rest or 0.0
    width = _BARS / lines
    x_L = [x + (number - (lines - 1) / 2.0) * width for x in line.x_L]
    height_L = [mean - rest for mean in centers(line.found_L)]
    axis.bar(
        x_L, height_L, 0.9 * width, bottom=rest, yerr=reaches(line.found_L), color=mark.color,
        alpha=0.8, capsize=2, error_kw={"linewidth": 0.9}, label=line.label,
    )  # fmt: skip


def caption(one: LevelFigure, measured: Measured) -> str:
    """What is shown, over how many seeds, and which lines were not run."""
    lines = lines_of(one, measured)
    seeds = sorted({found.n for line in lines for found in line.found_L})
    missing = [label for label, _ in one.lines if label not in [line.label for line in lines]]
    asked = sum(len(levels) for _, levels in one.lines)
    there = sum(len(line.x_L) for line in lines)
    kind = "whiskers" if one.ticks else "bars"
    parts = [f"After {one.of}.", f"Mean over {' or '.join(map(str, seeds))} seeds,"]
    parts += [f"{kind}: 95 % t interval over seeds."]
    parts += [f"Not run: {', '.join(missing)}."] if missing else []
    if there < asked:
        parts.append(f"Not measured: {asked - there} of {asked} places.")
    return " ".join([*parts, one.note]).strip()
