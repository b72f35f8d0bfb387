"""The scores of every group with their intervals, in tidy form.

Gold at the peak and at the end are those of ``overopt.report.places``. All other scores are of one
seed's curve (``overopt.stats.scores``), with t intervals over seeds; a seed that has none is
counted and named with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from overopt.report.fits import GroupFit
from overopt.report.group import Group, Places, SeedCurve
from overopt.report.interval_columns import spread
from overopt.report.stored.results import Results
from overopt.stats.fits.forms import Form
from overopt.stats.fits.gamma_form import choose_gamma_form
from overopt.stats.fits.holdout import Split
from overopt.stats.intervals import Interval, t_interval
from overopt.stats.pools.fronts import Front, regret
from overopt.stats.scores import MethodScores, Range, score_method

Place = tuple[str, int]
"""A task by its label, and the seed of a world."""


_ROUNDING = 1e-6


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
    # a budget that a front was traced for comes back from its root with the rounding of that
    within = (targets >= kl_K[0] * (1 - _ROUNDING)) & (targets <= kl_K[-1] * (1 + _ROUNDING))
    grid = targets[within]
    if not grid.size:
        return Yardstick(None, largest)
    oracle = Front(np.append(0.0, grid), np.append(0.0, np.interp(grid, kl_K, gold_K)))
    return Yardstick(oracle, min(largest, float(kl_K[-1])))


def score_table(
    groups: Sequence[Group], measures: Mapping[Place, Yardstick], fits: Sequence[GroupFit]
) -> pd.DataFrame:
    """Scores in tidy form: one row per group, means over seeds with their intervals.

    Args:
        groups: the curves.
        measures: what they are measured against.
        fits: the forms fitted to these groups, which choose the one behind gamma.
    """
    fits_of: dict[int, list[GroupFit]] = {}
    for one in fits:
        fits_of.setdefault(id(one.group), []).append(one)
    return pd.DataFrame(
        [
            _score_row(group, measures[group.task, group.world], *gamma_form(fits_of[id(group)]))
            for group in groups
        ]
    )


def gamma_form(fits: Sequence[GroupFit]) -> tuple[Form, str]:
    """The form of Gao et al. behind a group's gamma, and what chose it (`choose_gamma_form`)."""
    mine = {one.form: one for one in fits if one.form in (Form.BON, Form.RL)}
    return choose_gamma_form(
        {form: one.fits for form, one in mine.items()},
        {form: one.holdouts[Split.WITH_PEAK] for form, one in mine.items()},
    )


def _score_row(group: Group, yardstick: Yardstick, form: Form, form_by: str) -> dict[str, object]:
    scores: dict[int, MethodScores] = {}
    left_out: dict[int, str] = {}
    met = [set(seed.target_K[~np.isnan(seed.target_K)].tolist()) for seed in group.seeds]
    shared = sorted(set.intersection(*met)) if met else []
    for seed in group.seeds:
        try:
            scores[seed.seed] = _score_seed(seed, group.places, yardstick, form, shared)
        except ValueError as refusal:
            left_out[seed.seed] = str(refusal)

    def over_seeds(read: Callable[[MethodScores], float | None]) -> Interval:
        values = [read(one) for one in scores.values()]
        return t_interval([value for value in values if value is not None])

    row: dict[str, object] = {
        **group.identity,
        "kl_estimator": group.estimator,
        "seeds": len(scores),
        "seeds_run": group.n_seeds,
        "exploratory": group.exploratory,
    }
    row |= _places(group.places, yardstick)
    for name, read in (
        ("gamma", lambda one: one.gamma),
        ("gamma_trapezoid", lambda one: one.gamma_trapezoid),
        ("mean_regret", lambda one: one.mean_regret),
        ("hypervolume", lambda one: one.hypervolume),
        ("area_from_peak", lambda one: one.area_from_peak),
    ):
        interval = over_seeds(read)
        row |= spread(name, interval) | {f"{name}_seeds": interval.n}
    row["regret_budgets"] = min((one.n_regret for one in scores.values()), default=0)
    reasons = {seed: one.gamma_reason for seed, one in scores.items() if one.gamma_reason}
    row |= {
        "gamma_form": form.value,
        "gamma_form_by": form_by,
        "gamma_note": _name_seeds(reasons),
        "hypervolume_kl_max_nats": yardstick.kl_max_nats if yardstick.oracle else None,
        "unreached_budgets": len(group.unreached),
        "failed_seeds": len(group.failures),
        "left_out": _name_seeds(left_out),
    }
    return row


def _name_seeds(reasons: Mapping[int, str]) -> str:
    """Why seeds are missing, those with the same reason together."""
    seeds_of: dict[str, list[int]] = {}
    for seed, reason in reasons.items():
        seeds_of.setdefault(reason, []).append(seed)
    return "; ".join(
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}: {reason}"
        for reason, seeds in seeds_of.items()
    )


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


def _score_seed(
    seed: SeedCurve,
    places: Places,
    yardstick: Yardstick,
    form: Form,
    shared_nats: Sequence[float],
) -> MethodScores:
    """Scores of one seed (ValueError, with the reason, where it has none).

    shared_nats: budgets that all seeds met.
    """
    there = ~np.isnan(seed.proxy_K)
    if not (seed.kl_nats_K[there] > 0).any():
        raise ValueError("no proxy was measured beyond the initial policy")
    if yardstick.kl_max_nats <= 0:
        raise ValueError("no KL budget")
    between = None
    if places.peak and places.end and places.fall is not None:
        own = seed.kl_nats_K[there & (seed.target_K == places.end.kl_target_nats)]
        between = Range(places.peak.kl_nats, float(own[0])) if own.size else None
    return score_method(
        seed.kl_nats_K[there],
        seed.gold_K[there],
        seed.proxy_K[there],
        kl_max_nats=yardstick.kl_max_nats,
        oracle=yardstick.oracle,
        form=form,
        at_budget=~np.isnan(seed.target_K[there]),
        between=between,
        at_shared=np.isin(seed.target_K[there], shared_nats),
        from_nats=seed.from_nats,
    )
