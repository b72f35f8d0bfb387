"""The figure of gold against KL, against the proxy, and against what it cost, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from overopt.report.figures.panels import line_key
from overopt.report.figures.style import FAINT, Drawing, Mark, assign_marks, drawing_style, plain
from overopt.report.noise_labels import name_noise
from overopt.report.pareto.table import COSTS, ONCE, PER_ANSWER, UNKNOWN, label_of

_AXES = {
    "kl_nats": "KL (nats)",
    "proxy_score": "proxy (SDs)",
    "samples_drawn": "samples drawn",
    "tokens_processed": "tokens processed",
    "gradient_steps": "gradient steps",
}
_STYLES = {ONCE: "-", PER_ANSWER: "--", UNKNOWN: ":"}
_ROWS_PER_FIGURE = 4
_MOST_METHODS = 12
"""More methods in a row than these are told apart by nobody."""
_CAPTION = (
    "The same policies on five axes: gold at every budget, means over the seeds that reached it, "
    "against KL, the proxy's own score, and what the policies cost. A solid line pays once, in "
    "training; a dashed one pays for every answer again, and its samples are those of one answer "
    "to each prompt and of what it trains beside the policy; of a dotted one no record says how it "
    "pays. Filled marks are outdone by no policy that pays in the same way; hollow ones are, or "
    "are of fewer seeds than were run. Where more than "
    f"{_MOST_METHODS} methods meet, those that are outdone in every cost are gray. KL alone ranks "
    "no methods of different families."
)


def draw_pareto(table: pd.DataFrame) -> list[Drawing]:
    """A row of panels per world, proxy and noise, a column per axis.

    Args:
        table: rows of one task, as `overopt.report.pareto.table.pareto_frame` makes them.
    """
    if table.empty:
        return []
    places = list(table.groupby(["world", "proxy", "noise"], sort=False))
    marks = assign_marks([label for _, rows in places for label in _named(rows)])
    cuts = [places[i : i + _ROWS_PER_FIGURE] for i in range(0, len(places), _ROWS_PER_FIGURE)]
    drawings = []
    for number, cut in enumerate(cuts, start=1):
        name = f"pareto_{number}" if len(cuts) > 1 else "pareto"
        figure = _draw([rows for _, rows in cut], marks)
        drawings.append(Drawing(name, "Gold against what it costs", _CAPTION, figure))
    return drawings


def _draw(parts: Sequence[pd.DataFrame], marks: dict[str, Mark]) -> Figure:
    with drawing_style():
        size = (2.3 * len(_AXES) + 0.5, 2.1 * len(parts) + 0.8)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(parts), len(_AXES), squeeze=False, sharey="row")
        for row, part in zip(panels, parts, strict=True):
            first = part.iloc[0]
            where = f"{plain(first['proxy'], 20)}, world {first['world']}"
            row[0].set_ylabel(f"gold (SDs)\n{where}\n{name_noise(first['noise'])}")
            for panel, (axis, name) in zip(row, _AXES.items(), strict=True):
                _draw_axis(panel, part, axis, marks)
                panel.set_xlabel(name)
        keys = [line_key(one, marks[one]) for one in sorted(set().union(*map(_named, parts)))]
        more = max(len(_labels(part) - _named(part)) for part in parts)
        if more:
            keys.append(Line2D([], [], color=FAINT, linewidth=0.6, label=f"{more} more methods"))
        figure.legend(handles=keys, loc="outside upper left", ncols=min(len(keys), 4))
    return figure


def _labels(part: pd.DataFrame) -> set[str]:
    return {label_of(row) for row in part.to_dict("records")}


def _named(part: pd.DataFrame) -> set[str]:
    """Labels of the methods with a color of their own: of many, those that none outdoes."""
    if part["method"].nunique() <= _MOST_METHODS:
        return _labels(part)
    ahead = part[[f"outdone_by_{cost}" for cost in COSTS]].eq(False).fillna(False)
    return _labels(part[ahead.any(axis=1)])


def _draw_axis(panel: Axes, part: pd.DataFrame, axis: str, marks: dict[str, Mark]) -> None:
    panel.axhline(0.0, color=FAINT, linewidth=0.8, zorder=1)
    named = _named(part)
    seen = part[part[axis].notna() & ((part[axis] > 0) | (axis not in COSTS))]
    for _, rows in seen.groupby("method", sort=False):
        rows = rows.sort_values("kl_target_nats", kind="stable")
        label, style = label_of(rows.iloc[0].to_dict()), _STYLES[rows["paid"].iloc[0]]
        if label not in named:
            panel.plot(rows[axis], rows["gold"], style, color=FAINT, linewidth=0.6, alpha=0.5)
            continue
        mark = marks[label]
        panel.plot(rows[axis], rows["gold"], style, color=mark.color, linewidth=1.0)
        for row in rows.to_dict("records"):
            outdone = row.get(f"outdone_by_{axis}", False)
            hollow = row["seeds"] < row["seeds_run"] or (outdone is not pd.NA and bool(outdone))
            panel.plot(
                [row[axis]],
                [row["gold"]],
                linestyle="none",
                marker=mark.marker,
                markersize=4.5,
                color=mark.color,
                markerfacecolor="white" if hollow else mark.color,
            )
    if axis in COSTS and len(seen):
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(base=10.0, numticks=5))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _count(value)))
    if not len(seen):
        panel.text(0.5, 0.5, "nothing paid", ha="center", transform=panel.transAxes, fontsize=7)


def _count(value: float) -> str:
    """A count with few letters: 300, 10k, 2M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
