"""A paper's figure of best-of-n far beyond the pool, drawn again with what was foretold of it."""

from __future__ import annotations

from dataclasses import dataclass

from overopt.report.verdicts.arms import Arm
from overopt.stats.fits.forms import Form


@dataclass(frozen=True)
class BeyondFigure:
    """Gold of an arm that was drawn beyond its pool, with forms fitted on small n.

    Attributes:
        name: stem of its file: letters, digits and dashes.
        of: the paper's figure, such as ``figure 1a``.
        arm: of best-of-n, and one that the paper has streamed.
        forms: fitted to each seed up to ``fitted_up_to`` and drawn on, dashed, to the largest n.
        fitted_up_to: the largest n that is fitted.
        note: what a reader must know of it.
    """

    name: str
    of: str
    arm: Arm
    forms: tuple[Form, ...]
    fitted_up_to: int = 1_000
    note: str = ""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arm that it shows."""
        return (self.arm,)
