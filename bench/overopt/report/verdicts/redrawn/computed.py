"""A paper's figure of what is computed, without runs, drawn again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from overopt.report.verdicts.arms import Arm
from overopt.stats.arrays import Floats


class ComputedLine(NamedTuple):
    """One line, or one cloud of dots.

    Attributes:
        label: of the legend.
        x_L: places, shape (L,).
        y_IL: values of each of I instances there, shape (I, L). The mean is drawn, with a 95 % t
            interval over instances where there are several.
        style: a line, a dashed one, or dots.
    """

    label: str
    x_L: Floats
    y_IL: Floats
    style: Literal["line", "dashed", "dots"] = "line"


@dataclass(frozen=True)
class ComputedFigure:
    """Numbers of enumerated or analytic worlds, as exact claims are about.

    Attributes:
        name: stem of its file: letters, digits and dashes.
        of: the paper's figure, such as ``figure 3b``.
        x: what the x axis is, with its unit.
        y: what the y axis is, with its unit.
        lines: computes what is drawn.
        log_x: whether the x axis is logarithmic.
        log_y: whether the y axis is logarithmic.
        note: what a reader must know of it.
    """

    name: str
    of: str
    x: str
    y: str
    lines: Callable[[], Sequence[ComputedLine]]
    log_x: bool = False
    log_y: bool = False
    note: str = ""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """None: it needs no run."""
        return ()
