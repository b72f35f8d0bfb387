"""What is said of training runs: places, fits and the gap, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from overopt.stats.fits.forms import Form
from overopt.stats.fits.seeds import SeedFits
from overopt.stats.intervals import Interval
from overopt.stats.runs.gains import RunGains, Units

Over = Literal["runs and prompts", "runs", "prompts", "nothing"]


class Spot(NamedTuple):
    """One place of the runs.

    Attributes:
        steps: for each run, the training step that is nearest to it.
        kl_nats: mean KL of the policies read there, nats.
        gold: gold above the initial policy.
    """

    steps: tuple[int, ...]
    kl_nats: float
    gold: Interval


@dataclass(frozen=True)
class Turn:
    """Peak, end and the fall between them.

    Attributes:
        peak: where gold is highest; its gold is the rise.
        end: the largest KL that every run has gold at; of one run, its last step.
        fall: gold at the end minus gold at the peak, paired.
        over: what the intervals take for random; "nothing" where one run has no prompts, and the
            peak is read where it was chosen, so that its height is biased upward.
        n_choices: choices of the peak, one of each run, or of each half of the prompts in it.
        n_agreeing: how many of them are the shown one.
    """

    peak: Spot
    end: Spot
    fall: Interval
    over: Over
    n_choices: int
    n_agreeing: int

    @property
    def rises(self) -> bool:
        """Whether the interval of gold at the peak lies above 0."""
        return self.peak.gold.above_zero

    @property
    def falls(self) -> bool:
        """Whether the interval of the fall lies below 0."""
        return self.fall.below_zero


@dataclass(frozen=True)
class Gap:
    """gamma, how far gold stays behind the proxy, as `overopt.stats.scores` defines it.

    Attributes:
        fitted: over runs, from the fitted forms.
        trapezoid: over runs, from the rows themselves.
        form: the form behind ``fitted``.
        form_by: what chose it.
        reason: why a value is missing, or None.
    """

    fitted: Interval
    trapezoid: Interval
    form: Form
    form_by: str
    reason: str | None


@dataclass(frozen=True)
class RunsReport:
    """What one or several runs of the same training say.

    Attributes:
        runs: their gains, in the order given.
        units: the standard deviations that the gains are in.
        fits: each form fitted to the gold of each run; empty without gold.
        turn: peak, end and fall, or None.
        turn_reason: why there is no turn, or None.
        gap: gamma, or None without gold.
    """

    runs: tuple[RunGains, ...]
    units: Units
    fits: tuple[SeedFits, ...]
    turn: Turn | None
    turn_reason: str | None
    gap: Gap | None

    @property
    def has_gold(self) -> bool:
        """Whether any run has gold."""
        return any(run.scored_K.any() for run in self.runs)
