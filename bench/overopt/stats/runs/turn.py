"""Where the gold of training runs is highest, and whether it then falls.

The definition is that of `overopt.stats.rise_fall`, with training steps in the place of budgets:
nothing is read where it was chosen, as far as the data allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from overopt.stats.arrays import Floats
from overopt.stats.crossed import Crossed, Place
from overopt.stats.intervals import Interval, t_interval
from overopt.stats.rise_fall import PROMPTS_MIN, Budgets, PeakAndEnd, peak_and_end
from overopt.stats.runs.gains import RunGains
from overopt.stats.students_t import EXPLORATORY_BELOW

Over = Literal["runs", "prompts", "nothing"]


class Spot(NamedTuple):
    """One place of the runs.

    Attributes:
        step: training step.
        kl_nats: mean KL of the policies read there, nats.
        gold: gold above the initial policy.
    """

    step: int
    kl_nats: float
    gold: Interval


@dataclass(frozen=True)
class Turn:
    """Peak, end and the fall between them.

    Attributes:
        peak: where gold is highest; its gold is the rise.
        end: the last step that every run has gold at.
        fall: gold at the end minus gold at the peak, paired.
        over: what the intervals take for random; "nothing" where one run has no prompts, and the
            peak is read where it was chosen, so that its height is biased upwards.
        n_choices: choices of the peak.
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


def turn_over_runs(runs: Sequence[RunGains], level: float = 0.95) -> Turn:
    """Peak and end of runs of which only means over prompts are known.

    The peak of each run is the common step of the highest mean over the *other* runs, and is read
    on the run itself. This is `peak_and_end` of a table whose prompts are all the same one, where
    its crossed interval is the t interval over runs. A single run has its highest row, which is
    chosen and read on the same numbers, and no interval.

    Args:
        runs: each with gold; they are compared at the steps that all of them have gold at.
        level: coverage.

    Raises:
        ValueError: if a run has no gold, or the runs have no step with gold in common beyond
            their first.
    """
    missing = [index + 1 for index, run in enumerate(runs) if not run.scored_K.any()]
    if missing or not runs:
        raise ValueError(
            f"{len(missing)} of {len(runs)} runs have no gold, and a peak over fewer runs than "
            "were given is not a peak"
        )
    common = set.intersection(*(set(run.step_K[run.scored_K][1:].tolist()) for run in runs))
    steps = sorted(common)
    if not steps:
        raise ValueError("the runs have no step with gold in common beyond their first")
    rows_S = [np.flatnonzero(run.scored_K & np.isin(run.step_K, steps)) for run in runs]
    pairs = list(zip(runs, rows_S, strict=True))
    gold_SK = np.stack([run.gold_K[rows] for run, rows in pairs])
    kl_SK = np.stack([run.kl_K[rows] for run, rows in pairs])
    if len(runs) == 1:
        top = int(np.argmax(gold_SK[0]))
        return Turn(
            _one_spot(steps[top], kl_SK[0, top], gold_SK[0, top], level),
            _one_spot(steps[-1], kl_SK[0, -1], gold_SK[0, -1], level),
            t_interval([gold_SK[0, -1] - gold_SK[0, top]], level),
            "nothing",
            1,
            1,
        )
    table_SKB = np.repeat(gold_SK[:, :, None], PROMPTS_MIN, axis=2)
    found = _find(table_SKB, kl_SK, level)
    choices = found.choices_nats[::2]  # both halves of equal prompts choose alike
    return Turn(
        _spot(found.peak, steps, len(runs)),
        _spot(found.end, steps, len(runs)),
        _interval(found.fall, len(runs)),
        "runs",
        len(choices),
        choices.count(found.peak.kl_target_nats),
    )


def turn_over_prompts(
    step_K: Sequence[int], kl_K: Floats, gold_KB: Floats, level: float = 0.95
) -> Turn:
    """Peak and end of one run whose gold is known prompt by prompt: `peak_and_end` of one seed.

    Each half of the prompts is read at the step that the other half chose.

    Args:
        step_K: training step of each row beyond the initial policy, ascending.
        kl_K: KL of the same rows, nats.
        gold_KB: gold above the initial policy, prompt by prompt, of the same rows.
        level: coverage.

    Raises:
        ValueError: as `peak_and_end`.
    """
    found = _find(np.asarray(gold_KB)[None], np.asarray(kl_K)[None], level)
    return Turn(
        _spot(found.peak, list(step_K), found.n_prompts),
        _spot(found.end, list(step_K), found.n_prompts),
        _interval(found.fall, found.n_prompts),
        "prompts",
        len(found.choices_nats),
        found.n_agreeing,
    )


def _find(gold_SKB: Floats, kl_SK: Floats, level: float) -> PeakAndEnd:
    """`peak_and_end` with the initial policy put before, and places by number: 1 is the first."""
    n_seeds, n_places, n_prompts = gold_SKB.shape
    start_S1B = np.zeros((n_seeds, 1, n_prompts))
    return peak_and_end(
        Budgets(
            np.concatenate([start_S1B, gold_SKB], axis=1),
            np.concatenate([np.zeros((n_seeds, 1)), kl_SK], axis=1),
            np.arange(n_places + 1, dtype=np.float64),
        ),
        level=level,
    )


def _spot(place: Place, steps: Sequence[int], n: int) -> Spot:
    return Spot(steps[int(place.kl_target_nats) - 1], place.kl_nats, _interval(place.gold, n))


def _one_spot(step: int, kl_nats: float, gold: float, level: float) -> Spot:
    return Spot(step, float(kl_nats), t_interval([gold], level))


def _interval(one: Crossed, n: int) -> Interval:
    exploratory = n < EXPLORATORY_BELOW
    return Interval(one.mean, one.low, one.high, one.se, n, one.level, exploratory)
