"""Which learning rate a method takes: a rule that is the same for all, and fixed beforehand.

A rate at which more KL budgets are reached by every seed wins. Among those that reach as many, the
one with the higher proxy reward wins, as a mean over seeds and over the budgets that all of them
reached; for methods that are allowed to see gold, gold takes the place of the proxy. Of equals, the
rate nearest to the task's own wins, and the smaller of two that are as near.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from overopt.commands.tuning.rates import Choice, Tried

Quantity = Literal["proxy", "gold"]


def choose(points: Mapping[float, pd.DataFrame], by: Quantity) -> Choice | None:
    """The rate of one method, out of the points of its runs by factor.

    Args:
        points: of each factor, rows with ``seed``, ``status``, ``kl_target_nats`` and
            ``{by}_mean``, SDs of the initial policy; no rows where the run failed.
        by: what rates are judged by.

    Returns:
        None where no rate reached a budget with every seed.
    """
    curves = {factor: _curve(rows, f"{by}_mean") for factor, rows in points.items()}
    if not any(map(len, curves.values())):
        return None
    reached = [set(curve.index) for curve in curves.values() if len(curve)]
    shared = sorted(set.intersection(*reached))
    tried = tuple(
        Tried(
            factor=factor,
            budgets=len(curve),
            mean=float(curve.loc[shared].mean()) if shared and len(curve) else None,
        )
        for factor, curve in sorted(curves.items())
    )
    best = min(tried, key=_rank)
    return Choice(factor=best.factor, by=by, tried=tried)


def _rank(one: Tried) -> tuple[float, ...]:
    mean = -math.inf if one.mean is None else one.mean
    return (-one.budgets, -mean, abs(math.log(one.factor)), one.factor)


def _curve(rows: pd.DataFrame, column: str) -> pd.Series[float]:
    """Mean over seeds at each budget that every seed reached."""
    seeds = rows["seed"].nunique()
    met = rows[(rows["status"] == "ok") & (rows["kl_target_nats"] > 0)]
    by_budget = met.groupby("kl_target_nats")[column].agg(["count", "mean"])
    whole = by_budget[(by_budget["count"] == seeds) & np.isfinite(by_budget["mean"])]
    return pd.Series(whole["mean"], dtype=float)
