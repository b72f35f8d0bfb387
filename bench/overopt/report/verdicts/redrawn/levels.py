"""A paper's figure of a number over the levels of a setting, drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from overopt.report.verdicts.arms import Arm, ReadOfArms, arms_of


@dataclass(frozen=True)
class LevelFigure:
    """Statistics of arms over the levels of a setting that they differ in.

    Attributes:
        name: stem of its file: letters, digits and dashes.
        of: the paper's figure, such as ``figure 3b``.
        x: what the x axis is, with its unit.
        y: what the y axis is, with its unit.
        lines: a label, and a statistic at each level.
        ticks: names of the levels 0, 1, ..., which then are bars side by side; empty: a line.
        end: whose common end a statistic is read at that asks for one: of its own arms, of all that
            the level shows, or of all of the figure's.
        rest: y where bars stand and a line is drawn, such as chance; None: 0 for bars, no line.
        note: what a reader must know of it.
    """

    name: str
    of: str
    x: str
    y: str
    lines: tuple[tuple[str, tuple[tuple[float, ReadOfArms], ...]], ...]
    ticks: tuple[str, ...] = ()
    end: Literal["own", "level", "figure"] = "own"
    rest: float | None = None
    note: str = ""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it shows."""
        return arms_of(one for _, line in self.lines for _, one in line)
