"""A paper's figure of a number over the levels of a setting, drawn again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from overopt.report.verdicts.arms import Arm, Scope
from overopt.stats.arrays import Floats


class ReadOfArms(Protocol):
    """A statistic (see ``verdicts.statistics``)."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it is read from."""

    def read(self, scope: Scope) -> Mapping[int, Floats]:
        """Its value for every world, seed and, where it has them, prompt; raises as statistics."""


@dataclass(frozen=True)
class LevelFigure:
    """Statistics of arms over the levels of a setting that they differ in.

    Attributes:
        name: stem of its file: letters, digits and dashes.
        of: the paper's figure, such as ``figure 3b``.
        x: what the x axis is, with its unit.
        y: what the y axis is, with its unit.
        lines: a label, and a statistic at each level.
        note: what a reader must know of it.
    """

    name: str
    of: str
    x: str
    y: str
    lines: tuple[tuple[str, tuple[tuple[float, ReadOfArms], ...]], ...]
    note: str = ""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it shows."""
        of_all = [arm for _, line in self.lines for _, one in line for arm in one.arms]
        return tuple(dict.fromkeys(of_all))
