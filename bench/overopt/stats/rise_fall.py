"""The one definition of peak and end: where gold is highest along KL, and how far it then falls.

Whatever names a peak, an end, a rise or a fall reads it from here.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, Ints, check_same_shape
from overopt.stats.crossed import Crossed, Place, around, crossed_interval
from overopt.stats.students_t import EXPLORATORY_BELOW

PROMPTS_MIN = 4
"""A peak is chosen on one half of the prompts and read on the other; each needs two."""


@dataclass(frozen=True)
class PeakAndEnd:
    """Where gold peaks and where the budgets end, and whether gold rises and then falls.

    **The peak** of seed s on one half of the prompts is the budget with the highest mean over the
    *other* seeds on the *other* half (see `peak_and_end`). These 2 S choices need not agree, and
    one peak is shown. Its *gold* is the mean over all seeds and prompts, each read at its own
    choice, and its *achieved KL* the mean over the same policies: nothing is read where it was
    chosen, so that neither is biased upward as the highest of several means is. Its *budget* is
    the lower median of the choices, which is one of the budgets; `n_agreeing` says how many of the
    choices it is. Where all agree, gold is plainly the mean over seeds at that budget.

    **The end** is the largest budget that every seed reached.

    Attributes:
        peak: the peak; its gold is the rise, since the initial policy's gold is 0.
        end: the end.
        fall: gold at the end minus gold at the peak, paired by seed and prompt.
        choices_nats: budget chosen as the peak, seed by seed and within a seed half by half, nats.
        n_seeds: seeds, all of which reached the end.
        n_prompts: prompts.
    """

    peak: Place
    end: Place
    fall: Crossed
    choices_nats: tuple[float, ...]
    n_seeds: int
    n_prompts: int

    @property
    def n_agreeing(self) -> int:
        """How many of the choices are the shown peak."""
        return self.choices_nats.count(self.peak.kl_target_nats)

    @property
    def peaks_at_end(self) -> bool:
        """Whether every choice is the last budget: then nothing was compared with the end."""
        return set(self.choices_nats) == {self.end.kl_target_nats}

    @property
    def rises(self) -> bool:
        """Whether the interval of gold at the peak lies above 0."""
        return self.peak.gold.above_zero

    @property
    def falls(self) -> bool:
        """Whether the interval of the fall lies below 0."""
        return self.fall.below_zero

    @property
    def exploratory(self) -> bool:
        """Whether fewer than 5 seeds stand behind it."""
        return self.n_seeds < EXPLORATORY_BELOW


class Budgets(NamedTuple):
    """Seeds of one world along their budgets; column 0 is the initial policy.

    Attributes:
        gold_SKB: gold of each seed, budget and prompt, NaN for all prompts of a budget that the
            seed did not reach.
        kl_SK: achieved KL, nats, NaN likewise.
        kl_target_K: the budgets, ascending, nats; 0 is the initial policy.
    """

    gold_SKB: ArrayLike
    kl_SK: ArrayLike
    kl_target_K: ArrayLike


class ReachedBudgets(NamedTuple):
    """`Budgets` without those that somebody missed."""

    gold_SKB: Floats
    kl_SK: Floats
    kl_target_K: Floats


class PeakTable(NamedTuple):
    """Every seed and prompt read at the peak, which was chosen on other seeds and prompts.

    Attributes:
        gold_SB: gold above the initial policy there.
        kl_SB: achieved KL of the policy that was read, nats.
        in_half_B: half (0 or 1) of each prompt.
        choices_nats: budget chosen, seed by seed and within a seed half by half, nats.
    """

    gold_SB: Floats
    kl_SB: Floats
    in_half_B: Ints
    choices_nats: tuple[float, ...]


def fixed_split() -> np.random.Generator:
    """Every world's held-out prompts are in random order; one fixed split serves all runs."""
    return np.random.default_rng(0)


def read_peaks(budgets: Budgets, generator: np.random.Generator | None = None) -> PeakTable:
    """Gold at the peak by seed and prompt, as `peak_and_end` averages it; arguments as there."""
    gold_SKB, kl_SK, target_K = common_budgets([budgets])[0]
    gain_SKB = gold_SKB - gold_SKB[:, :1]
    in_half_B = _split_prompts(gold_SKB.shape[2], generator)
    choice_S2 = _choose(gain_SKB, in_half_B)
    # prompts of half h are read at the budget that the other half chose
    column_SB = choice_S2[:, in_half_B]
    return PeakTable(
        np.take_along_axis(gain_SKB, column_SB[:, None, :], axis=1)[:, 0],
        np.take_along_axis(kl_SK, column_SB, axis=1),
        in_half_B,
        tuple(float(target_K[column]) for column in choice_S2.ravel()),
    )


def peak_and_end(
    budgets: Budgets, generator: np.random.Generator | None = None, level: float = 0.95
) -> PeakAndEnd:
    """Peak, end, rise and fall of one world's seeds, paired by prompt and seed.

    The peak is never chosen on the numbers that it is read from. Leaving out the seed alone would
    not do: all seeds share the prompts, and what a prompt does at a budget is the same accident in
    all of them. The peak is one of the budgets, never the initial policy.

    Intervals take seeds and prompts for random (`crossed_interval`). Where nothing rises or falls,
    one of 95 % declares a fall in 1.5 to 4.5 % of runs with 3 to 10 seeds, as simulated with 30 and
    128 prompts (nominal 2.5 %; asking two one-way intervals to exclude 0 gave up to 7 %), and in up
    to 6 % with 2 seeds. With one seed the two halves choose each other's peak, so that they are not
    taken for independent: gold at the peak and the fall have the mean of the halves' standard
    errors, which holds under any correlation between them.

    Args:
        budgets: the seeds; only budgets that all of them reached are considered.
        generator: splits the prompts in halves; without one, even and odd positions (needs
            prompts in no particular order).
        level: coverage of the two-sided intervals.

    Raises:
        ValueError: if shapes do not fit, infinity or a partly missing budget occurs, the initial
            policy is missing, no budget is reached by all seeds, budgets do not ascend, or there
            are too few prompts.
    """
    gold_SKB, kl_SK, target_K = common_budgets([budgets])[0]
    n_seeds, _, n_prompts = gold_SKB.shape
    peak_SB, kl_peak_SB, in_half_B, choices = read_peaks(budgets, generator)
    end_SB = gold_SKB[:, -1] - gold_SKB[:, 0]
    return PeakAndEnd(
        peak=Place(
            statistics.median_low(choices),
            float(kl_peak_SB.mean()),
            cross_fitted(peak_SB, in_half_B, level),
        ),
        end=Place(float(target_K[-1]), float(kl_SK[:, -1].mean()), crossed_interval(end_SB, level)),
        fall=cross_fitted(end_SB - peak_SB, in_half_B, level),
        choices_nats=choices,
        n_seeds=n_seeds,
        n_prompts=n_prompts,
    )


def common_budgets(worlds: Sequence[Budgets]) -> list[ReachedBudgets]:
    """Every world's columns that every seed of every world reached, the initial policy first.

    Raises:
        ValueError: if there is no world, budgets differ between worlds, and as `peak_and_end`.
    """
    checked = [_check(one) for one in worlds]
    if not checked:
        raise ValueError("there is no world")
    target_K = checked[0].kl_target_K
    if any(not np.array_equal(one.kl_target_K, target_K) for one in checked):
        raise ValueError("worlds have different budgets")
    missing_K = np.any([np.isnan(one.kl_SK).any(axis=0) for one in checked], axis=0)
    if missing_K[0]:
        raise ValueError("the initial policy (column 0) must be measured for every seed")
    if missing_K[1:].all():
        raise ValueError("no budget was reached by all seeds")
    return [
        ReachedBudgets(one.gold_SKB[:, ~missing_K], one.kl_SK[:, ~missing_K], target_K[~missing_K])
        for one in checked
    ]


def _check(budgets: Budgets) -> ReachedBudgets:
    """The arrays of one world, with shapes and missing values that make sense."""
    gold, kl, target = (np.asarray(array, np.float64) for array in budgets)
    if gold.ndim != 3 or gold.shape[0] < 1 or gold.shape[1] < 2 or gold.shape[2] < PROMPTS_MIN:
        raise ValueError(
            "gold must have shape (seeds, budgets, prompts) with at least 1 seed, the initial "
            f"policy and 1 budget, and {PROMPTS_MIN} prompts, got {gold.shape}"
        )
    check_same_shape(gold[:, :, 0], kl, "gold without its prompts and KL")
    check_same_shape(gold[0, :, 0], target, "budgets of gold and KL targets")
    if np.isinf(gold).any() or np.isinf(kl).any():
        raise ValueError("gold or KL has infinite values")
    missing_SK = np.isnan(gold).any(axis=2)
    if np.any(missing_SK != np.isnan(gold).all(axis=2)) or np.any(missing_SK != np.isnan(kl)):
        raise ValueError("a budget must be NaN for KL and all prompts of a seed, or for none")
    if target[0] != 0.0 or not np.all(np.diff(target) > 0.0):
        raise ValueError(f"budgets must ascend from 0, the initial policy, got {target.tolist()}")
    return ReachedBudgets(gold, kl, target)


def _choose(gain_SKB: Floats, in_half_B: Ints) -> Ints:
    """Column of the peak of each seed and half, chosen on other data; the first of equals."""
    n_seeds = len(gain_SKB)
    mean_2SK = np.stack([gain_SKB[:, :, in_half_B == half].mean(axis=2) for half in (0, 1)])
    others_2SK = mean_2SK
    if n_seeds > 1:
        others_2SK = (mean_2SK.sum(axis=1, keepdims=True) - mean_2SK) / (n_seeds - 1)
    best_2S = 1 + others_2SK[:, :, 1:].argmax(axis=2)
    return np.asarray(best_2S[::-1].T, np.int64)


def cross_fitted(x_SB: Floats, in_half_B: Ints, level: float = 0.95) -> Crossed:
    """Interval of what was read at the peak; with one seed, the halves may be correlated."""
    if len(x_SB) > 1:
        return crossed_interval(x_SB, level)
    halves = [crossed_interval(x_SB[:, in_half_B == half], level) for half in (0, 1)]
    se = sum((one.se or 0.0) * one.n_prompts for one in halves) / x_SB.size
    df = min(one.n_prompts for one in halves) - 1
    return around(float(x_SB.mean()), se, df, x_SB.shape, level)


def _split_prompts(n_prompts: int, generator: np.random.Generator | None) -> Ints:
    """Half (0 or 1) of each prompt."""
    half_B = np.arange(n_prompts, dtype=np.int64) % 2
    return half_B if generator is None else np.asarray(generator.permutation(half_B), np.int64)
