"""Draws what was computed without runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure as Canvas

from overopt.report.figures.levels import label_y, marks_in_order, plain_log_ticks
from overopt.report.verdicts.redrawn.computed import ComputedFigure, ComputedLine
from overopt.report.verdicts.shown.canvas import HEIGHT_IN, WIDTH_IN, centers, draw_band
from overopt.stats.intervals import t_interval


def draw(one: ComputedFigure, lines: Sequence[ComputedLine]) -> Canvas:
    """Lines and dots, with bands over instances; what was computed comes in once for both."""
    canvas = Canvas(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    axis = canvas.subplots()
    for line, mark in zip(lines, marks_in_order([line.label for line in lines]), strict=True):
        style: dict[str, Any] = {"color": mark.color, "label": line.label}
        if line.style == "dots":
            axis.plot(
                line.x_L, line.y_IL.T, linestyle="", marker=mark.marker, markersize=3, alpha=0.6,
                **style,
            )  # fmt: skip
            continue
        dashes = "--" if line.style == "dashed" else "-"
        found_L = [t_interval(of_place) for of_place in line.y_IL.T]
        axis.plot(line.x_L, centers(found_L), linestyle=dashes, linewidth=1.2, **style)
        draw_band(axis, line.x_L.tolist(), found_L, mark.color)
    for is_log, which in ((one.log_x, "x"), (one.log_y, "y")):
        if is_log:
            axis.set(**{f"{which}scale": "log"})
            plain_log_ticks(getattr(axis, f"{which}axis"))
    axis.set_xlabel(one.x)
    axis.set_ylabel(label_y(one.y))
    if len(lines) > 1:
        canvas.legend(loc="outside lower center", ncols=2)
    return canvas


def caption(one: ComputedFigure, lines: Sequence[ComputedLine]) -> str:
    """What is shown, and over how many instances."""
    instances = sorted({len(line.y_IL) for line in lines if line.style != "dots"} - {1})
    parts = [f"After {one.of}. Computed, without runs."]
    if instances:
        number = " or ".join(map(str, instances))
        parts += [f"Mean over {number} instances, band: 95 % t interval over instances."]
    return " ".join([*parts, one.note]).strip()
