"""The scores of every group with their intervals, in tidy form.

Gold at the peak and at the end are those of ``overopt.report.places``. All other scores are of one
seed's whole curve (``overopt.stats.scores``), with t intervals over seeds; a seed without proxy
scores or with too few points is left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from overopt.report.group import Group, Places, SeedCurve
from overopt.report.interval_columns import spread
from overopt.report.stored.results import Results
from overopt.stats.fits.forms import Form
from overopt.stats.intervals import Interval, t_interval
from overopt.stats.pools.fronts import Front, regret
from overopt.stats.scores import MethodScores, score_method

Place = tuple[str, int]
"""A task by its label, and the seed of a world."""


@dataclass(frozen=True)
class Yardstick:
    """What the scores of one task in one world are measured against.

    Attributes:
        oracle: best gold at the task's budgets, SDs; None when no run stored a front.
        kl_max_nats: end of the KL axis of the hypervolume: the largest budget, or where the oracle
            front ends if that is sooner; nats.
    """

    oracle: Front | None
    kl_max_nats: float


def yardsticks(results: Results) -> dict[Place, Yardstick]:
    """The yardstick of every task in each of its worlds."""
    return {
        (task, world): _yardstick(results, task, world)
        for task in results.tasks
        for world in results.worlds(task)
    }


def _yardstick(results: Results, task: str, world: int) -> Yardstick:
    """The oracle on the budgets of a task, so that both staircases have the same steps."""
    rows = results.points[results.points["task_label"] == task]
    targets = np.unique(rows["kl_target_nats"].dropna().to_numpy(np.float64))
    if not targets.size:
        targets = np.unique(rows["kl_nats"].dropna().to_numpy(np.float64))
    targets = targets[targets > 0]
    largest = float(targets.max()) if targets.size else 0.0
    stored = results.front(task, world)
    if stored.empty:
        return Yardstick(None, largest)
    kl_K = stored["kl_nats"].to_numpy(np.float64)
    gold_K = stored["gold"].to_numpy(np.float64)
    grid = targets[(targets >= kl_K[0]) & (targets <= kl_K[-1])]
    if not grid.size:
        return Yardstick(None, largest)
    oracle = Front(np.append(0.0, grid), np.append(0.0, np.interp(grid, kl_K, gold_K)))
    return Yardstick(oracle, min(largest, float(kl_K[-1])))


def score_table(groups: Sequence[Group], measures: Mapping[Place, Yardstick]) -> pd.DataFrame:
    """Scores in tidy form: one row per group, means over seeds with their intervals."""
    return pd.DataFrame([_score_row(group, measures[group.task, group.world]) for group in groups])


def gamma_form(group: Group) -> Form:
    """The form behind gamma: best-of-n's for policies that reweight samples, else that of RL.

    Such policies are known by their KL, which comes from a pool's weights or an analytic bound.
    """
    reweights = set(group.estimator.split("+")) <= {"pool", "bound"}
    return Form.BON if reweights else Form.RL


def _score_row(group: Group, yardstick: Yardstick) -> dict[str, object]:
    scored = [_score_seed(seed, group, yardstick) for seed in group.seeds]
    scores = [one for one in scored if one is not None]

    def over_seeds(read: Callable[[MethodScores], float | None]) -> Interval:
        values = [read(one) for one in scores]
        return t_interval([value for value in values if value is not None])

    gammas = over_seeds(lambda one: one.gamma)
    row: dict[str, object] = {
        **group.identity,
        "kl_estimator": group.estimator,
        "seeds": len(scores),
        "seeds_run": group.n_seeds,
        "exploratory": group.exploratory,
    }
    row |= _places(group.places, yardstick)
    row |= spread("gamma", gammas)
    row |= {"gamma_form": gamma_form(group).value, "gamma_seeds": gammas.n}
    row |= spread("mean_regret", over_seeds(lambda one: one.mean_regret))
    row |= spread("hypervolume", over_seeds(lambda one: one.hypervolume))
    row["hypervolume_kl_max_nats"] = yardstick.kl_max_nats if yardstick.oracle else None
    row["unreached_budgets"] = len(group.unreached)
    row["failed_seeds"] = len(group.failures)
    return row


def _places(places: Places, yardstick: Yardstick) -> dict[str, object]:
    """Peak and end as columns: budget, achieved KL and gold; and the regret at the peak."""
    row: dict[str, object] = {}
    for name, place in (("peak", places.peak), ("end", places.end)):
        row[f"kl_target_at_{name}_nats"] = place.kl_target_nats if place else None
        row[f"kl_at_{name}_nats"] = place.kl_nats if place else None
        row |= spread(f"gold_at_{name}", place.gold if place else None)
    row |= spread("fall", places.fall)
    anywhere = places.peak or places.end
    agreeing, choices = places.choices or (None, None)
    row |= {
        "gold_interval_over": anywhere.gold.over if anywhere else "",
        "peak_choices": choices,
        "peak_choices_agreeing": agreeing,
        "verdict": places.verdict,
        "places_note": places.note,
    }
    return row | _regret(places, yardstick)


def _regret(places: Places, yardstick: Yardstick) -> dict[str, float | None]:
    """Gold that the oracle has more than the peak, at the KL that the peak achieved.

    The oracle is taken as it is, so that the interval is that of gold.
    """
    peak, oracle = places.peak, yardstick.oracle
    middle = regret(oracle, peak.kl_nats, peak.gold.mean) if peak and oracle else None
    if peak is None or middle is None:
        return spread("regret_at_peak", None)
    gold = peak.gold
    return {
        "regret_at_peak": middle,
        "regret_at_peak_low": None if gold.high is None else middle - (gold.high - gold.mean),
        "regret_at_peak_high": None if gold.low is None else middle + (gold.mean - gold.low),
    }


def _score_seed(seed: SeedCurve, group: Group, yardstick: Yardstick) -> MethodScores | None:
    there = ~np.isnan(seed.proxy_K)
    if not (seed.kl_nats_K[there] > 0).any() or yardstick.kl_max_nats <= 0:
        return None
    return score_method(
        seed.kl_nats_K[there],
        seed.gold_K[there],
        seed.proxy_K[there],
        kl_max_nats=yardstick.kl_max_nats,
        oracle=yardstick.oracle,
        form=gamma_form(group),
    )
