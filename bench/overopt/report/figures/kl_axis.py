"""The axis of KL: where a value stands on it, its name, unit, estimator and ticks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from overopt.report.stored.schema import estimator_name
from overopt.stats.arrays import Floats

GOLD_AXIS = "gold (SDs of the initial policy)"
Scale = Literal["d", "kl", "kl_sqrt"]


LONGEST_LINE = 34
"""Letters of a list of estimators that the width of a panel holds."""
_LINE_IN = 0.14


def to_x(kl_nats: Floats, scale: Scale) -> Floats:
    """KL in nats as a position on the axis."""
    return kl_nats if scale == "kl" else np.asarray(np.sqrt(kl_nats), np.float64)


def label_x(panel: Axes, scale: Scale, estimators: set[str]) -> None:
    """Name the axis, its unit and its KL estimator, and set ticks that read as plain numbers."""
    panel.set_xlabel(name_x(scale, estimators, broken=True))
    tick_x(panel, scale)


def label_together(panels: Mapping[Axes, set[str]], scale: Scale) -> None:
    """Ticks and the name of the axis, which all panels share.

    Args:
        panels: the estimators behind each panel's KL, from left to right and top to bottom.
        scale: of the axis.
    """
    for panel in panels:
        tick_x(panel, scale)
    name_together(panels, scale)


def name_together(panels: Mapping[Axes, set[str]], scale: Scale) -> None:
    """Name the axis of all panels once, and in each its estimators where they differ."""
    alike = len({frozenset(estimators) for estimators in panels.values()}) == 1
    every = set.union(set(), *panels.values())
    if alike:
        _label_last_row(list(panels), name_x(scale, every))
        return
    for panel, estimators in panels.items():
        panel.set_xlabel(name_x(scale, estimators, broken=True), fontsize=8, loc="left")
    lines = max(panel.get_xlabel().count("\n") for panel in panels)
    rows = len({_place(panel)[0] for panel in panels})
    figure = next(iter(panels)).get_figure(root=True)
    assert figure is not None, "panels are made by subplots"
    width_in, height_in = figure.get_size_inches()
    figure.set_size_inches(width_in, height_in + _LINE_IN * lines * rows)


def _break(named: str) -> str:
    """A list of estimators in lines that the width of a panel holds."""
    return named.replace(" / ", " /\n") if len(named) > LONGEST_LINE else named


def _label_last_row(panels: Sequence[Axes], text: str) -> None:
    """One label under the last row, in the middle of it."""
    rows = [_place(panel) for panel in panels]
    last = [panel for panel, (row, _) in zip(panels, rows, strict=True) if row == rows[-1][0]]
    middle = last[len(last) // 2]
    if len(last) == 1:
        middle.set_xlabel(text, x=0.0, ha="left")
    else:
        middle.set_xlabel(text, x=0.5 if len(last) % 2 else -0.06)


def _place(panel: Axes) -> tuple[int, int]:
    """Row and column of a panel."""
    spec = panel.get_subplotspec()
    assert spec is not None, "panels are made by subplots"
    return spec.rowspan.start, spec.colspan.start


def name_x(scale: Scale, estimators: set[str] | None, broken: bool = False) -> str:
    """What stands at the axis; ``broken`` into lines that the width of a panel holds.

    Without estimators it names the quantity alone, for panels that name their own.
    """
    quantity = "d = √KL (√nats)" if scale == "d" else "KL (nats per response)"
    if estimators is None:
        return quantity
    named = name_estimators(estimators)
    gap = "\n" if broken and len(quantity) + len(named) > 40 else ", "
    return f"{quantity}{gap}KL: {_break(named) if broken else named}"


def name_estimators(estimators: set[str]) -> str:
    """Estimators of KL in words, each once."""
    return (
        estimator_name("+".join(sorted("+".join(sorted(estimators)).split("+")))) or "not measured"
    )


def tick_x(panel: Axes, scale: Scale) -> None:
    """Ticks that read as plain numbers."""
    if scale == "kl" and any(np.any(np.asarray(line.get_xdata()) > 0) for line in _data(panel)):
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(base=10.0, numticks=8))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    elif scale == "kl_sqrt":
        high_nats = max(panel.get_xlim()[1], 0.5) ** 2
        step = next(s for s in (0.25, 1.0, 2.0, 5.0, 10.0, 20.0, 1e9) if high_nats / s <= 7)
        ticks = np.concatenate([[0.0, step / 4], np.arange(step, high_nats, step)])
        panel.xaxis.set_major_locator(FixedLocator(list(np.sqrt(ticks))))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value**2:.3g}"))
        low = panel.get_xlim()[0]
        panel.set_xlim(min(low, 0.0), np.sqrt(high_nats))


def _data(panel: Axes) -> list[Line2D]:
    """Lines that stand for results, not for a reference level."""
    return [line for line in panel.lines if line.get_transform() != panel.get_yaxis_transform()]
