"""A paper's figure of one number against another, drawn again."""

from __future__ import annotations

from dataclasses import dataclass

from overopt.report.verdicts.arms import Arm, ReadOfArms, arms_of


@dataclass(frozen=True)
class ScatterFigure:
    """Two statistics of each of several arms, one along each axis.

    Attributes:
        name: stem of its file: letters, digits and dashes.
        of: the paper's figure, such as ``figure 3b``.
        x: what the x axis is, with its unit.
        y: what the y axis is, with its unit.
        groups: a label, and the statistics of each of its dots.
        each_seed: whether every seed is a dot; else a dot is the mean over seeds.
        note: what a reader must know of it.
    """

    name: str
    of: str
    x: str
    y: str
    groups: tuple[tuple[str, tuple[tuple[ReadOfArms, ReadOfArms], ...]], ...]
    each_seed: bool = False
    note: str = ""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it shows."""
        return arms_of(one for _, dots in self.groups for dot in dots for one in dot)
