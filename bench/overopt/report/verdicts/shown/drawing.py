"""Draws a paper's figures, each by its kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from overopt.report.figures.style import drawing_style, save_figure
from overopt.report.verdicts.arms import Measured
from overopt.report.verdicts.redrawn.along import Figure
from overopt.report.verdicts.redrawn.beyond import BeyondFigure
from overopt.report.verdicts.redrawn.computed import ComputedFigure
from overopt.report.verdicts.redrawn.kinds import AnyFigure
from overopt.report.verdicts.redrawn.levels import LevelFigure
from overopt.report.verdicts.redrawn.scatter import ScatterFigure
from overopt.report.verdicts.shown import along, beyond, computed, levels, scatter


def draw_figures(figures: Sequence[AnyFigure], measured: Measured, folder: Path) -> dict[str, str]:
    """Write every figure that shows anything, as PNG and PDF.

    Returns:
        What its caption says, by name of the figure; figures that show nothing are left out.
    """
    captions = {}
    for one in figures:
        if not can_draw(one, measured):
            continue
        with drawing_style():
            canvas, captions[one.name] = draw_figure(one, measured)
            save_figure(canvas, folder / one.name)
    return captions


def can_draw(one: AnyFigure, measured: Measured) -> bool:
    """Whether anything that a figure shows was measured, or needs no measuring."""
    match one:
        case Figure():
            return bool(along.curves_of(one, measured))
        case LevelFigure():
            return bool(levels.lines_of(one, measured))
        case ScatterFigure():
            return bool(scatter.dots_of(one, measured))
        case BeyondFigure():
            return bool(beyond.streams_of(one, measured))
        case ComputedFigure():
            return True


def draw_figure(one: AnyFigure, measured: Measured) -> tuple[Canvas, str]:
    """A figure that shows something, and its caption."""
    with drawing_style():
        match one:
            case Figure():
                return along.draw(one, measured), along.caption(one, measured)
            case LevelFigure():
                return levels.draw(one, measured), levels.caption(one, measured)
            case ScatterFigure():
                return scatter.draw(one, measured), scatter.caption(one, measured)
            case BeyondFigure():
                return beyond.draw(one, measured), beyond.caption(one, measured)
            case ComputedFigure():
                lines = one.lines()
                return computed.draw(one, lines), computed.caption(one, lines)
