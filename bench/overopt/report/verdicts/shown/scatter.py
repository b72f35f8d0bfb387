"""Draws one statistic of arms against another, a dot each."""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib.figure import Figure as Canvas

from overopt.report.figures.levels import label_y, marks_in_order
from overopt.report.figures.style import FAINT
from overopt.report.verdicts.arms import Measured, arms_of
from overopt.report.verdicts.redrawn.scatter import ScatterFigure
from overopt.report.verdicts.shown.canvas import (
    HEIGHT_IN,
    WIDTH_IN,
    centers,
    reaches,
    values_of,
)
from overopt.stats.intervals import t_interval


class Dot(NamedTuple):
    """One arm, or one pair of statistics: values of its seeds, in the same order."""

    x_S: list[float]
    y_S: list[float]


def dots_of(one: ScatterFigure, measured: Measured) -> list[tuple[str, list[Dot]]]:
    """The groups of which a dot was measured, with their labels."""
    groups = []
    for label, pairs in one.groups:
        dots = []
        for x, y in pairs:
            arms = arms_of((x, y))
            x_S, y_S = (values_of(statistic, measured, arms) for statistic in (x, y))
            if x_S is not None and y_S is not None:
                dots.append(Dot(x_S, y_S))
        if dots:
            groups.append((label, dots))
    return groups


def draw(one: ScatterFigure, measured: Measured) -> Canvas:
    """A figure of which at least one dot was measured."""
    canvas = Canvas(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    axis = canvas.subplots()
    groups = dots_of(one, measured)
    marks = marks_in_order([label for label, _ in groups])
    for (label, dots), mark in zip(groups, marks, strict=True):
        style: dict[str, Any] = {
            "color": mark.color,
            "marker": mark.marker,
            "markersize": 4,
            "linestyle": "",
        }
        if one.each_seed:
            x_P, y_P = ([value for dot in dots for value in dot[side]] for side in (0, 1))
            axis.plot(x_P, y_P, **style, alpha=0.6, label=label)
            continue
        x_D, y_D = ([t_interval(dot[side]) for dot in dots] for side in (0, 1))
        axis.errorbar(
            centers(x_D), centers(y_D), xerr=reaches(x_D), yerr=reaches(y_D), **style, label=label,
            elinewidth=0.4, alpha=0.8,
        )  # fmt: skip
    if "SDs" in one.y:
        axis.axhline(0.0, color=FAINT, linewidth=0.6)
    axis.set_xlabel(one.x)
    axis.set_ylabel(label_y(one.y))
    if len(one.groups) > 1:
        canvas.legend(loc="outside lower center", ncols=2)
    return canvas


def caption(one: ScatterFigure, measured: Measured) -> str:
    """What a dot is, over how many seeds, and how many were not measured."""
    groups = dots_of(one, measured)
    seeds = sorted({len(dot.x_S) for _, dots in groups for dot in dots})
    number = " or ".join(map(str, seeds))
    asked = sum(len(pairs) for _, pairs in one.groups)
    there = sum(len(dots) for _, dots in groups)
    parts = [f"After {one.of}."]
    parts += (
        [f"A dot is a seed, of {number}."]
        if one.each_seed
        else [f"Mean over {number} seeds, bars: 95 % t interval over seeds."]
    )
    parts += [f"Not measured: {asked - there} of {asked} dots."] if there < asked else []
    return " ".join([*parts, one.note]).strip()
