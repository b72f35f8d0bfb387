"""What a policy cost, relative to one of another method at the same KL."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from overopt.report.pareto.table import COSTS
from overopt.stats.budgets import last_shared


class RelativeCost(NamedTuple):
    """One method beside the baseline.

    Attributes:
        method: its label.
        kl_nats: the budget at which both are read; None where all seeds of both met none.
        ratios: for each of `overopt.report.pareto.table.COSTS`, its mean over the baseline's; None
            where either is not known or the baseline pays none.
    """

    method: str
    kl_nats: float | None
    ratios: tuple[float | None, ...]


def relative_costs(table: pd.DataFrame, baseline: str) -> list[RelativeCost]:
    """Every other method at the largest budget that all seeds of it and of the baseline met.

    Args:
        table: rows of `overopt.report.pareto.table.pareto_frame`, of one task, world, proxy and
            noise.
        baseline: label of a method.

    Returns:
        Those that process the fewest tokens first; at the end what met no budget with it.
    """
    whole = table[table["seeds"] == table["seeds_run"]]
    paid = {
        str(method): dict(zip(rows["kl_target_nats"], rows[list(COSTS)].to_numpy(), strict=True))
        for method, rows in whole.groupby("method")
    }
    found = []
    for method in set(table["method"]) - {baseline}:
        shared = last_shared(paid.get(method, {}), paid.get(baseline, {}))
        if shared is None:
            found.append(RelativeCost(method, None, (None,) * len(COSTS)))
        else:
            at_nats, costs, base = shared
            ratios = tuple(_ratio(cost, of) for cost, of in zip(costs, base, strict=True))
            found.append(RelativeCost(method, at_nats, ratios))
    return sorted(found, key=_by_tokens)


def _by_tokens(one: RelativeCost) -> tuple[bool, float, str]:
    tokens = one.ratios[COSTS.index("tokens_processed")]
    return one.kl_nats is None, math.inf if tokens is None else tokens, one.method


def _ratio(cost: float, of: float) -> float | None:
    return float(cost / of) if of > 0.0 and not math.isnan(cost) else None
