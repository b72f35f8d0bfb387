"""Points become curves: one per seed, and their mean at common KL values.

A mean at a budget is taken at the budget itself: every seed is read between two of its own points,
linearly in d = sqrt(KL), never beyond its last point, nor where it leapt over a budget at first. A
seed that did not get there is missing, not 0, and the mean carries how many seeds it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overopt.report.group import BudgetMean, Quantity, SeedCurve, over_readings, read_seed
from overopt.report.stored.intervals import interval_of
from overopt.stats.arrays import Floats
from overopt.stats.crossed import Crossed, around
from overopt.stats.equal_kl import first_readable, read_together

_SAME = 1e-6
"""Means that differ by less are the same mean of the same numbers."""


def seed_curve(
    seed: int, rows: Mapping[str, NDArray[Any]], missed_nats: Iterable[float] = ()
) -> SeedCurve:
    """One seed's curve from columns of ``points.csv``, all measured and of KL at least 0.

    Args:
        seed: its number.
        rows: the columns.
        missed_nats: the budgets that a run along its steps did not meet.
    """
    order_K = np.argsort(rows["kl_nats"], kind="stable")

    def column(name: str) -> Floats:
        return np.asarray(rows[name], np.float64)[order_K]

    prompts = column("n_prompts")
    known = prompts[~np.isnan(prompts)]
    return SeedCurve(
        seed,
        kl_nats_K=column("kl_nats"),
        target_K=column("kl_target_nats"),
        gold_K=column("gold_mean"),
        gold_se_K=column("gold_gain_se"),
        proxy_K=column("proxy_mean"),
        n_prompts=int(known.min()) if known.size else 0,
        from_nats=first_readable(column("kl_nats"), missed_nats),
    )


def mean_curve(
    seeds: Sequence[SeedCurve],
    quantity: Quantity,
    stored: Sequence[dict[Any, Any]],
    budgets_set: bool = False,
) -> list[BudgetMean]:
    """Mean over seeds at the initial policy and at every budget that some seed reached.

    Args:
        seeds: the seeds that were measured.
        quantity: what is averaged.
        stored: rows of ``budgets.csv`` of these very seeds, whose intervals come from single
            prompts; an interval that is not among them comes from each seed's standard error.
        budgets_set: whether there were budgets, even if no seed reached any.
    """
    curves = [curve for curve in (seed.measured(quantity) for seed in seeds) if curve.d_K.size]
    rows = [row for row in stored if row["quantity"] == quantity]
    start = [curve.score(quantity)[0] for curve in curves if curve.kl_nats_K[0] == 0.0]
    means = []
    if start:
        shape = (len(start), min(curve.n_prompts for curve in curves))
        zero = around(float(np.mean(start)), 0.0, np.inf, shape)
        means.append(BudgetMean(None, 0.0, 0.0, zero))
    for place in read_together([curve.points for curve in curves], budgets_set):
        score = over_readings(
            [
                read_seed(curve, weight_K, quantity)
                for curve, weight_K in zip(curves, place.weight_SK, strict=True)
                if weight_K is not None
            ]
        )
        for row in rows:
            if row["kl_target_nats"] != place.kl_target_nats:
                continue
            interval = interval_of(row, "mean")
            if interval is not None and _is_same(interval, score):
                score = interval
        own = [
            float(kl_nats)
            for curve in curves
            for kl_nats in curve.kl_nats_K[curve.target_K == place.kl_target_nats]
        ]
        achieved = float(np.mean(own)) if own else None
        means.append(BudgetMean(place.kl_target_nats, place.kl_nats, achieved, score))
    return means


def _is_same(stored: Crossed, read: Crossed) -> bool:
    """Whether a stored interval is of the mean that was read."""
    close = abs(stored.mean - read.mean) <= _SAME * (1.0 + abs(read.mean))
    return stored.n_seeds == read.n_seeds and close
