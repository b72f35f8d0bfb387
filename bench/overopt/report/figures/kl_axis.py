"""The axis of KL: where a value stands on it, its name, unit, estimator and ticks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from overopt.report.stored.schema import estimator_name
from overopt.stats.arrays import Floats

GOLD_AXIS = "gold (SDs of the initial policy)"
Scale = Literal["d", "kl", "kl_sqrt"]


LONGEST_LINE = 34
"""Letters of a list of estimators that the width of a panel holds."""


def to_x(kl_nats: Floats, scale: Scale) -> Floats:
    """KL in nats as a position on the axis."""
    return kl_nats if scale == "kl" else np.asarray(np.sqrt(kl_nats), np.float64)


def label_x(panel: Axes, scale: Scale, estimators: set[str]) -> None:
    """Name the axis, its unit and its KL estimator, and set ticks that read as plain numbers."""
    panel.set_xlabel(name_x(scale, estimators, broken=True))
    tick_x(panel, scale)


def label_together(figure: Figure, panels: Mapping[Axes, set[str]], scale: Scale) -> None:
    """Name the axis of all panels once, where they share their estimators; else each its own."""
    if len({name_x(scale, estimators) for estimators in panels.values()}) == 1:
        figure.supxlabel(name_x(scale, next(iter(panels.values()))), fontsize=9)
        for panel in panels:
            tick_x(panel, scale)
        return
    for panel, estimators in panels.items():
        label_x(panel, scale, estimators)


def name_x(scale: Scale, estimators: set[str], broken: bool = False) -> str:
    """What stands at the axis; ``broken`` into lines that the width of a panel holds."""
    named = estimator_name("+".join(sorted("+".join(sorted(estimators)).split("+"))))
    quantity = "d = √KL (√nats)" if scale == "d" else "KL (nats per response)"
    gap = "\n" if broken and len(quantity) + len(named) > 40 else ", "
    if broken and len(named) > LONGEST_LINE:
        named = named.replace(" / ", " /\n")
    return f"{quantity}{gap}KL: {named or 'not measured'}"


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
