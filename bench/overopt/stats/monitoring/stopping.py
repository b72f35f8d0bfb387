"""Early stopping by a statistic and a limit: where runs stop, and what the limit should be.

A run is looked at along its steps. It stops at the first look at which its statistic is above the
limit, and the policy of that look is kept; where it never is, the run goes to its end.

The rule that sets limits is the same for every statistic, and mirrors how the peak is chosen
(`overopt.stats.rise_fall`): the limit of seed s on one half of the prompts is the one under which
the *other* seeds, read on the *other* half, keep the most gold. Nothing is read where its limit was
set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Bools, Floats, Ints, check_same_shape
from overopt.stats.crossed import Crossed
from overopt.stats.rise_fall import (
    Budgets,
    PeakTable,
    ReachedBudgets,
    cross_fitted,
    fixed_split,
    read_peaks,
)


class Stops(NamedTuple):
    """Where runs stop under one limit each.

    Attributes:
        column_S: look that is kept, counted from 0; the last one where nothing rings.
        rang_S: whether the limit was exceeded.
    """

    column_S: Ints
    rang_S: Bools


def stop_at(statistic_SK: ArrayLike, limit_S: ArrayLike) -> Stops:
    """The first look of each run whose statistic is above its limit.

    Args:
        statistic_SK: K looks in the order of their steps, NaN where nothing can be said.
        limit_S: limit of each run; -inf rings at the first number, inf never.
    """
    value_SK = np.asarray(statistic_SK, np.float64)
    over_SK = value_SK > np.asarray(limit_S, np.float64)[:, None]  # NaN is above nothing
    rang_S: Bools = np.asarray(over_SK.any(axis=1), np.bool_)
    column_S = np.where(rang_S, over_SK.argmax(axis=1), value_SK.shape[1] - 1)
    return Stops(np.asarray(column_S, np.int64), rang_S)


def candidate_limits(statistic_SK: ArrayLike) -> Floats:
    """All limits that differ in what they do: below, between and above the observed values."""
    value = np.unique(np.asarray(statistic_SK, np.float64))
    value = value[np.isfinite(value)]
    between = (value[1:] + value[:-1]) / 2.0
    return np.concatenate([[-np.inf], between, [np.inf]])


def best_limit(statistic_SK: ArrayLike, gold_SK: ArrayLike) -> float:
    """The limit under which these runs keep the most gold on average; of equals the highest.

    The highest of equals rings least often.

    Args:
        statistic_SK: as for `stop_at`.
        gold_SK: mean gold of the policy at each look.
    """
    value_SK, gold = np.asarray(statistic_SK, np.float64), np.asarray(gold_SK, np.float64)
    check_same_shape(value_SK, gold, "statistic and gold")
    best, found = -np.inf, np.inf
    rows = np.arange(len(gold))
    for limit in candidate_limits(value_SK):
        kept = float(gold[rows, stop_at(value_SK, np.full(len(gold), limit)).column_S].mean())
        if kept >= best:
            best, found = kept, float(limit)
    return found


@dataclass(frozen=True)
class Stopped:
    """Runs stopped by one statistic, under limits that were set on other seeds and prompts.

    Attributes:
        regret_SB: gold at the peak minus gold of the policy that is kept, by seed and prompt.
        column_S2: look that is kept for each half of the prompts, counted from 0.
        rang_S2: whether it rang there.
        limit_S2: the limits.
        limit_S: limit of each seed set on all prompts of the other seeds, for other runs of it.
        peak_S2: look at which each half of the prompts is read for the peak.
        in_half_B: half of each prompt.
    """

    regret_SB: Floats
    column_S2: Ints
    rang_S2: Bools
    limit_S2: Floats
    limit_S: Floats
    peak_S2: Ints
    in_half_B: Ints

    @property
    def regret(self) -> Crossed:
        """Mean regret with its interval over seeds and prompts."""
        return cross_fitted(self.regret_SB, self.in_half_B)


def stop_runs(budgets: ReachedBudgets, statistic_SK: ArrayLike) -> Stopped:
    """Stop the runs of one world by a statistic, each under limits from the others.

    Args:
        budgets: gold of every seed, with the initial policy as column 0 (`common_budgets`); its
            other columns are the looks, in the order of their steps.
        statistic_SK: the statistic at each of these looks.

    Raises:
        ValueError: there are fewer than 2 seeds, or shapes do not fit.
    """
    value_SK = np.asarray(statistic_SK, np.float64)
    gain_SKB = budgets.gold_SKB[:, 1:] - budgets.gold_SKB[:, :1]
    check_same_shape(value_SK, gain_SKB[:, :, 0], "statistic and looks")
    n_seeds = len(value_SK)
    if n_seeds < 2:
        raise ValueError("a limit is set on other seeds, so that at least 2 are needed")
    peak = _peaks(budgets)
    limit_S2, limit_S = np.empty((n_seeds, 2)), np.empty(n_seeds)
    half_S2K = np.stack([gain_SKB[:, :, peak.in_half_B == half].mean(axis=2) for half in (0, 1)], 1)
    for seed in range(n_seeds):
        others = np.arange(n_seeds) != seed
        limit_S[seed] = best_limit(value_SK[others], gain_SKB[others].mean(axis=2))
        for half in (0, 1):
            limit_S2[seed, half] = best_limit(value_SK[others], half_S2K[others, 1 - half])
    each = [stop_at(value_SK, limit_S2[:, half]) for half in (0, 1)]
    column_S2 = np.stack([one.column_S for one in each], axis=1)
    return Stopped(
        regret_SB=_regret(peak, gain_SKB, column_S2),
        column_S2=column_S2,
        rang_S2=np.stack([one.rang_S for one in each], axis=1),
        limit_S2=limit_S2,
        limit_S=limit_S,
        peak_S2=_peak_looks(peak, budgets.kl_target_K),
        in_half_B=peak.in_half_B,
    )


def run_to_end(budgets: ReachedBudgets) -> Crossed:
    """Regret of runs that nothing stops: the fall from peak to end with its sign turned."""
    gain_SKB = budgets.gold_SKB[:, 1:] - budgets.gold_SKB[:, :1]
    last_S2 = np.full((len(gain_SKB), 2), gain_SKB.shape[1] - 1)
    peak = _peaks(budgets)
    return cross_fitted(_regret(peak, gain_SKB, last_S2), peak.in_half_B)


def own_best(budgets: ReachedBudgets) -> Crossed:
    """Regret of runs that each stop at their own best look: what no rule can be expected to beat.

    The look is chosen on one half of the prompts and read on the other, seed by seed. Below 0 where
    seeds peak at different looks, so that a stop for each seed can gain on one that serves all.
    """
    gain_SKB = budgets.gold_SKB[:, 1:] - budgets.gold_SKB[:, :1]
    peak = _peaks(budgets)
    means = [gain_SKB[:, :, peak.in_half_B == half].mean(axis=2) for half in (1, 0)]
    best_S2 = np.stack([mean_SK.argmax(axis=1) for mean_SK in means], axis=1)
    return cross_fitted(_regret(peak, gain_SKB, best_S2), peak.in_half_B)


def _peaks(budgets: ReachedBudgets) -> PeakTable:
    """The peak as runs store it, on the split of prompts that serves all of them."""
    return read_peaks(Budgets(*budgets), fixed_split())


def _regret(peak: PeakTable, gain_SKB: Floats, column_S2: Ints) -> Floats:
    column_SB = column_S2[:, peak.in_half_B]
    kept_SB = np.take_along_axis(gain_SKB, column_SB[:, None, :], axis=1)[:, 0]
    return np.asarray(peak.gold_SB - kept_SB, np.float64)


def _peak_looks(peak: PeakTable, target_K: Floats) -> Ints:
    """The choices of the peak as looks, which the initial policy is none of."""
    column_N = np.searchsorted(target_K, np.asarray(peak.choices_nats)) - 1
    return np.asarray(column_N.reshape(-1, 2), np.int64)


class Lead(NamedTuple):
    """How long before the peak runs ring, one value per seed; NaN for seeds that do not ring.

    Positive where the alarm comes before the peak.
    """

    d_S: Floats
    steps_S: Floats


def lead_of(stopped: Stopped, kl_SK: ArrayLike, step_SK: ArrayLike) -> Lead:
    """Way from the alarm to the peak in sqrt(nats) and in steps, mean over halves that ring.

    Both ends were chosen by other seeds, any two of which have most seeds in common. So the spread
    of leads says how these seeds differ under what was chosen, not how another study would come
    out; no test is made of it.

    Args:
        stopped: the runs.
        kl_SK: KL of each look, nats. step_SK: its step.
    """
    d_SK, step = np.sqrt(np.asarray(kl_SK, np.float64)), np.asarray(step_SK, np.float64)

    def way(place_SK: Floats) -> Floats:
        at_peak = np.take_along_axis(place_SK, stopped.peak_S2, axis=1)
        at_stop = np.take_along_axis(place_SK, stopped.column_S2, axis=1)
        rang = stopped.rang_S2
        count_S = rang.sum(axis=1)
        total_S = np.where(rang, at_peak - at_stop, 0.0).sum(axis=1)
        return np.where(count_S > 0, total_S / np.maximum(count_S, 1), np.nan)

    return Lead(way(d_SK), way(step))
