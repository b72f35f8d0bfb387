"""Peak and end of every world, proxy, size and noise of a run, and the means along its budgets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from overopt.run.written.seed_tables import SeedGroup, SeedTable
from overopt.stats.crossed import Crossed, crossed_interval
from overopt.stats.equal_kl import CommonKL, read_together
from overopt.stats.rise_fall import PROMPTS_MIN, Budgets, PeakAndEnd, fixed_split, peak_and_end
from overopt.stats.worlds import InWorlds, peak_and_end_in_worlds


def contrast_rows(groups: Sequence[SeedGroup]) -> list[dict[str, Any]]:
    """One row per group in the columns of ``contrasts.csv``: peak, end, fall and verdicts.

    A group in which a seed failed, or in which no budget was reached by all seeds, has neither
    peak nor end and no row; nor has a task with fewer than 4 held-out prompts.
    """
    rows = []
    for group in groups:
        for budgets in _along_budgets([group]):
            rows.append(group.identity | _contrast(peak_and_end(budgets, fixed_split())))
    return rows


def world_rows(groups: Sequence[SeedGroup]) -> list[dict[str, Any]]:
    """One row per proxy, size and noise that ran in several worlds, in ``WORLD_COLUMNS``.

    Means over worlds along the budgets that every seed of every world reached; no row where a
    seed failed or there is no such budget.
    """
    together: dict[tuple[Any, ...], list[SeedGroup]] = {}
    for group in groups:
        key = tuple(value for name, value in group.identity.items() if name != "world")
        together.setdefault(key, []).append(group)
    rows = []
    for members in together.values():
        worlds = _along_budgets(members) if len(members) > 1 else []
        if worlds:
            identity = {k: v for k, v in members[0].identity.items() if k != "world"}
            found = peak_and_end_in_worlds(worlds, [fixed_split() for _ in worlds])
            rows.append(identity | _in_worlds(found))
    return rows


def budget_rows(groups: Sequence[SeedGroup], budgets_set: bool = False) -> list[dict[str, Any]]:
    """Mean gold and proxy of every group at every budget, in the columns of ``budgets.csv``.

    Args:
        groups: the seeds of each setting.
        budgets_set: whether there were budgets, even if no seed of a group reached any.
    """
    return [
        group.identity | {"quantity": quantity} | _mean(place, group.tables, quantity)
        for group in groups
        for quantity in ("gold", "proxy")
        for place in read_together([table.points for table in group.tables], budgets_set)
    ]


def _contrast(found: PeakAndEnd) -> dict[str, Any]:
    peak, end = found.peak, found.end
    return {
        "seeds": found.n_seeds,
        "prompts": found.n_prompts,
        "peak_kl_target_nats": peak.kl_target_nats,
        "peak_choices": len(found.choices_nats),
        "peak_choices_agreeing": found.n_agreeing,
        "peak_kl_nats": peak.kl_nats,
        **_spread("peak_gold", peak.gold),
        "end_kl_target_nats": end.kl_target_nats,
        "end_kl_nats": end.kl_nats,
        **_spread("end_gold", end.gold),
        **_spread("fall", None if found.peaks_at_end else found.fall),
        "over": peak.gold.over,
        "rises": found.rises,
        "falls": found.falls,
        "exploratory": found.exploratory,
    }


def _in_worlds(found: InWorlds) -> dict[str, Any]:
    row: dict[str, Any] = {
        "worlds": len(found.worlds),
        "seeds": found.peak.n_seeds,
        "peak_kl_target_nats": found.peak_kl_target_nats,
        "peak_kl_nats": found.peak_kl_nats,
        "end_kl_target_nats": found.end_kl_target_nats,
        "end_kl_nats": found.end_kl_nats,
    }
    compared = not all(one.peaks_at_end for one in found.worlds)
    for name, mean in (("peak_gold", found.peak), ("end_gold", found.end), ("fall", found.fall)):
        if name != "fall" or compared:
            row |= {
                name: mean.across.mean,
                f"{name}_across_low": mean.across.low,
                f"{name}_across_high": mean.across.high,
                f"{name}_within_low": mean.within.low,
                f"{name}_within_high": mean.within.high,
            }
    return row | {
        "over": "worlds" if found.peak.across.low is not None else "these worlds",
        "rises": found.peak.decisive.above_zero,
        "falls": compared and found.fall.decisive.below_zero,
    }


def _mean(place: CommonKL, tables: Sequence[SeedTable], quantity: str) -> dict[str, Any]:
    """A mean over the seeds that get there, each read above its own initial policy."""
    read = [
        weight_K @ (value_KB - value_KB[:1])
        for weight_K, value_KB in zip(
            place.weight_SK, (getattr(table, f"{quantity}_KB") for table in tables), strict=True
        )
        if weight_K is not None
    ]
    found = crossed_interval(np.stack(read))
    return {
        "kl_target_nats": place.kl_target_nats,
        "kl_nats": place.kl_nats,
        "seeds": found.n_seeds,
        "prompts": found.n_prompts,
        **_spread("mean", found),
        "over": found.over,
    }


def _spread(name: str, interval: Crossed | None) -> dict[str, float | None]:
    """A mean, its standard error, degrees of freedom and bounds as five columns."""
    columns = (name, f"{name}_se", f"{name}_df", f"{name}_low", f"{name}_high")
    if interval is None:
        return dict.fromkeys(columns)
    df = interval.df if interval.df is not None and math.isfinite(interval.df) else None
    values = (interval.mean, interval.se, df, interval.low, interval.high)
    return dict(zip(columns, values, strict=True))


def _along_budgets(worlds: Sequence[SeedGroup]) -> list[Budgets]:
    """Each world along the budgets that every seed of all met; empty where they allow no test."""
    tables = [table for group in worlds for table in group.tables]
    if len(tables) < sum(group.n_run for group in worlds):
        return []
    reached = [
        {float(target): k for k, target in enumerate(table.points.target_K) if not np.isnan(target)}
        for table in tables
    ]
    common = sorted(set[float].intersection(*(set(one) for one in reached)) - {0.0})
    if not common or any(table.gold_KB.shape[1] < PROMPTS_MIN for table in tables):
        return []
    column = {
        id(table): [0, *(one[target] for target in common)]
        for table, one in zip(tables, reached, strict=True)
    }
    return [
        Budgets(
            np.stack([table.gold_KB[column[id(table)]] for table in group.tables]),
            np.stack([table.points.kl_K[column[id(table)]] for table in group.tables]),
            [0.0, *common],
        )
        for group in worlds
    ]
