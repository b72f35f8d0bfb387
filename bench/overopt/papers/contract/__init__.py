"""What a paper's file declares: one constant ``PAPER``, a `Paper`.

A file says who reports what, at which settings it is tried here, and by which rule each claim is
decided; the rules and their margins are fixed in it before anything runs. It computes nothing but
checks of exact claims, which are functions of its own without arguments. Claims that cannot be
judged yet are declared all the same, with what they need.

The names of this package are all that a file needs:

- `Paper`, `Grid`, `Claim`, and `StreamSpec`, how far best-of-n is drawn;
- figures: `Figure`, curves of arms; `LevelFigure`, statistics over the levels of a setting or as
  bars; `ScatterFigure`, one statistic against another; `BeyondFigure`, best-of-n beyond the pool;
  `ComputedFigure` of `ComputedLine`, for what needs no run;
- `Arm`, and what is read of arms: `Gold`, `Value`, `Peak`, `Fall`, `Coefficient`, `HeldOut`,
  `Foretold`, `Bias`, `GrowthExponent`, `FinalGold`, `Trained`, `StepShare`, `StepsToRegain`,
  `ResetDrop`, `Gamma`, with `Minus`, `Along`, `Bend`, `Best` and `Apart` of these; over the points
  of runs `Together`, `AcrossRuns`, `AtLowest`, `AlongKl`, `Largest`, `Last` and `JumpFromPeak`; of
  merged policies `AtKnob` and `TaskAngle`; of components `PointDistance`; of two arms
  `LogKlAtGold`, `Distance`, `GapAtProxy`, `AtSamples`, `RewardAtKl` and `Wins`; of many `Related`
  and `RelabelingError`;
- `examined`, an arm whose proxies are examined, and `Marked`, a number of an exam; of such and
  other statistics `Squared`, and `Leading`, of a polynomial through several points;
- rules: `Positive` and `more` (D), `Equal` (EQ), `NoWorse`, `Between`, `Hump`, `NoHump`,
  `BestBetween` and `BestBelow` of `BestOf` several arms, `Unrelated`, `Ordering` (ORD), `All`,
  `Exact` with `Checked`, and `Computed` for numbers of random instances that need no run.
"""

from overopt.papers.contract.paper import SCALES, Grid, Paper, Scale
from overopt.report.verdicts.across.places import BestBelow, BestBetween, BestOf
from overopt.report.verdicts.across.relabeling import RelabelingError
from overopt.report.verdicts.across.relations import (
    Apart,
    AtSamples,
    Bend,
    Distance,
    GapAtProxy,
    LogKlAtGold,
    Related,
    Wins,
)
from overopt.report.verdicts.across.rewards import RewardAtKl
from overopt.report.verdicts.arms import Arm
from overopt.report.verdicts.beside.components import PointDistance
from overopt.report.verdicts.beside.merging import AtKnob, Layers, TaskAngle
from overopt.report.verdicts.claims import Checked, Claim, Exact
from overopt.report.verdicts.courses import AlongKl, JumpFromPeak, Largest, Last
from overopt.report.verdicts.examined.joining import examined
from overopt.report.verdicts.examined.statistics import Leading, Marked, Squared
from overopt.report.verdicts.fitted import Bias, Coefficient, GrowthExponent, HeldOut
from overopt.report.verdicts.foretold import Foretold
from overopt.report.verdicts.pointwise import AcrossRuns, AtLowest, Together
from overopt.report.verdicts.redrawn.along import Axis, Figure
from overopt.report.verdicts.redrawn.beyond import BeyondFigure
from overopt.report.verdicts.redrawn.computed import ComputedFigure, ComputedLine
from overopt.report.verdicts.redrawn.kinds import AnyFigure
from overopt.report.verdicts.redrawn.levels import LevelFigure
from overopt.report.verdicts.redrawn.scatter import ScatterFigure
from overopt.report.verdicts.rules import (
    All,
    Between,
    Computed,
    Equal,
    Hump,
    NoHump,
    NoWorse,
    Ordering,
    Positive,
    Unrelated,
    more,
)
from overopt.report.verdicts.statistics import (
    END,
    OWN_END,
    Along,
    Best,
    Fall,
    FinalGold,
    Gold,
    Minus,
    Peak,
    Value,
)
from overopt.report.verdicts.training import (
    Gamma,
    ResetDrop,
    StepShare,
    StepsToRegain,
    Trained,
)
from overopt.spec.stream import StreamSpec
from overopt.stats.fits.forms import Form

__all__ = [
    "END",
    "OWN_END",
    "SCALES",
    "AcrossRuns",
    "All",
    "Along",
    "AlongKl",
    "AnyFigure",
    "Apart",
    "Arm",
    "AtKnob",
    "AtLowest",
    "AtSamples",
    "Axis",
    "Bend",
    "Best",
    "BestBelow",
    "BestBetween",
    "BestOf",
    "Between",
    "BeyondFigure",
    "Bias",
    "Checked",
    "Claim",
    "Coefficient",
    "Computed",
    "ComputedFigure",
    "ComputedLine",
    "Distance",
    "Equal",
    "Exact",
    "Fall",
    "Figure",
    "FinalGold",
    "Foretold",
    "Form",
    "Gamma",
    "GapAtProxy",
    "Gold",
    "Grid",
    "GrowthExponent",
    "HeldOut",
    "Hump",
    "JumpFromPeak",
    "Largest",
    "Last",
    "Layers",
    "Leading",
    "LevelFigure",
    "LogKlAtGold",
    "Marked",
    "Minus",
    "NoHump",
    "NoWorse",
    "Ordering",
    "Paper",
    "Peak",
    "PointDistance",
    "Positive",
    "RelabelingError",
    "Related",
    "ResetDrop",
    "RewardAtKl",
    "Scale",
    "ScatterFigure",
    "Squared",
    "StepShare",
    "StepsToRegain",
    "StreamSpec",
    "TaskAngle",
    "Together",
    "Trained",
    "Unrelated",
    "Value",
    "Wins",
    "examined",
    "more",
]
