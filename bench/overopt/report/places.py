"""Peak and end of a group, the one answer that every table, figure and sentence shows.

They are read from ``contrasts.csv``. Where that cannot be, because an earlier version wrote the
file or the seeds come from several runs, what ``points.csv`` allows takes its place, and says so.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from overopt.errors import UserError
from overopt.report.group import Places, Reading, SeedCurve, over_readings, read_seed
from overopt.report.stored.intervals import interval_of
from overopt.stats.crossed import Place
from overopt.stats.equal_kl import read_together

_SAME = 1e-6
OLDER = "intervals at most this wide (stored by an earlier version)"
FROM_SEEDS = "peak chosen on the other seeds only (from points.csv)"
ONE_SEED = "no peak: one seed, and no test was stored"


class Met(NamedTuple):
    """A budget that every seed met, with each seed at its own policy there."""

    kl_target_nats: float
    readings_S: tuple[Reading, ...]

    @property
    def place(self) -> Place:
        """Gold over all seeds."""
        return Place(self.kl_target_nats, _mean_kl(self.readings_S), over_readings(self.readings_S))


def find_places(
    seeds: Sequence[SeedCurve],
    n_seeds: int,
    stored: Sequence[dict[Any, Any]],
    budgets_set: bool = False,
) -> Places:
    """Peak and end of a group.

    Args:
        seeds: the seeds that were measured.
        n_seeds: seeds that were run.
        stored: rows of ``contrasts.csv`` of these very seeds; one or none.
        budgets_set: whether there were budgets, even if no seed reached any.

    Raises:
        UserError: a stored end is not the mean of the points that are stored beside it.
    """
    if len(seeds) < n_seeds:
        return Places(note=f"no peak or end: {len(seeds)} of {n_seeds} seeds were measured")
    met = met_by_all(seeds, budgets_set)
    if not met:
        return Places(note="no peak or end: no budget was reached by all seeds")
    return _from_row(stored[0], met) if stored else _from_points(met)


def met_by_all(seeds: Sequence[SeedCurve], budgets_set: bool = False) -> list[Met]:
    """The budgets of all seeds, ascending; without budgets, the KL values where all can be read."""
    met = []
    for place in read_together([seed.points for seed in seeds], budgets_set):
        weights = list(place.weight_SK)
        target = place.kl_target_nats
        if target is not None:
            own_SK = [seed.target_K == target for seed in seeds]
            weights = [own_K / own_K.sum() if own_K.any() else None for own_K in own_SK]
        readings = tuple(
            read_seed(seed, weight_K, "gold")
            for seed, weight_K in zip(seeds, weights, strict=True)
            if weight_K is not None
        )
        if len(readings) == len(seeds):
            met.append(Met(place.kl_nats if target is None else target, readings))
    return met


def _from_row(row: dict[Any, Any], met: Sequence[Met]) -> Places:
    """Peak and end as stored, filled up from the points where an earlier version stored less."""
    by_target = {one.kl_target_nats: one.place for one in met}
    peak_at, end_at = row["peak_kl_target_nats"], row["end_kl_target_nats"]
    peak_gold, end_gold = interval_of(row, "peak_gold"), interval_of(row, "end_gold")
    if peak_gold is None or peak_at not in by_target or end_at != met[-1].kl_target_nats:
        raise _mismatch(peak_at, end_at)
    end = by_target[end_at]
    if end_gold is None:
        peak = Place(peak_at, by_target[peak_at].kl_nats, peak_gold)
        fall = interval_of(row, "fall")
        if fall is None:  # every choice was the end: peak and end are one
            peak = end = peak if peak_gold.n_seeds > 1 else end
        return Places(peak, end, fall, None, OLDER)
    if abs(end_gold.mean - end.gold.mean) > _SAME * (1.0 + abs(end.gold.mean)):
        raise _mismatch(peak_at, end_at)
    return Places(
        Place(peak_at, row["peak_kl_nats"], peak_gold),
        Place(end_at, row["end_kl_nats"], end_gold),
        interval_of(row, "fall"),
        (int(row["peak_choices_agreeing"]), int(row["peak_choices"])),
    )


def _mismatch(peak_nats: float, end_nats: float) -> UserError:
    return UserError(
        f"contrasts.csv has a peak at {peak_nats:g} and an end at {end_nats:g} nats that are not "
        "those of the points.csv beside it; restore the run folder or run it again."
    )


def _from_points(met: Sequence[Met]) -> Places:
    """Peak chosen for each seed on the others; prompts are not stored and cannot be split."""
    end, n_seeds = met[-1], len(met[-1].readings_S)
    if n_seeds == 1:
        return Places(end=end.place, note=ONE_SEED)
    choice_S = choose_on_others(met)
    at_peak = [met[k].readings_S[s] for s, k in enumerate(choice_S)]
    falls = [
        Reading(last.kl_nats, last.mean - peak.mean, last.se + peak.se, peak.n_prompts)
        for last, peak in zip(end.readings_S, at_peak, strict=True)
    ]
    choices = [met[k].kl_target_nats for k in choice_S]
    shown = statistics.median_low(choices)
    return Places(
        Place(shown, _mean_kl(at_peak), over_readings(at_peak)),
        end.place,
        None if set(choices) == {end.kl_target_nats} else over_readings(falls),
        (choices.count(shown), n_seeds),
        FROM_SEEDS,
    )


def choose_on_others(met: Sequence[Met]) -> list[int]:
    """Which budget is the peak of each seed, chosen on the means of the other seeds."""
    gold_SK = np.array([[one.mean for one in place.readings_S] for place in met]).T
    return [int(k) for k in (gold_SK.sum(axis=0) - gold_SK).argmax(axis=1)]


def _mean_kl(readings: Sequence[Reading]) -> float:
    return statistics.fmean(one.kl_nats for one in readings)
