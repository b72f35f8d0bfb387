"""All kinds of figures that a paper's file may declare."""

from __future__ import annotations

from overopt.report.verdicts.redrawn.along import Figure
from overopt.report.verdicts.redrawn.beyond import BeyondFigure
from overopt.report.verdicts.redrawn.computed import ComputedFigure
from overopt.report.verdicts.redrawn.levels import LevelFigure
from overopt.report.verdicts.redrawn.scatter import ScatterFigure

AnyFigure = Figure | LevelFigure | ScatterFigure | ComputedFigure | BeyondFigure
"""What a paper's file declares."""
