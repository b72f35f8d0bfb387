"""Gold at every budget beside what it cost: samples, tokens, gradient steps; KL; and the proxy.

KL alone does not rank methods of different families: best-of-n gets more gold per nat than RL and
pays for every answer again, RL pays once. So every budget's policies are set beside their cost,
and who is outdone is asked among methods that pay in the same way only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from overopt.report.interval_columns import spread
from overopt.report.stored.results import Results
from overopt.report.stored.schema import GROUP
from overopt.stats.intervals import t_interval
from overopt.stats.pools.fronts import pareto_front

COSTS = ("samples_drawn", "tokens_processed", "gradient_steps")
"""What a policy has cost, as ``points.csv`` counts it."""

PER_ANSWER, ONCE, UNKNOWN = "per answer", "once", ""
"""How a method pays: anew for every answer that its policy gives, or in training. The latter are
also decoding rules, whose answers are one sample each."""
_PAID = {True: ONCE, False: PER_ANSWER, None: UNKNOWN}

_PLACE = ("task", "world", "proxy", "noise")
_COLUMNS = (
    *_PLACE, "family", "method", "paid", "kl_target_nats", "kl_nats", "gold", "gold_low",
    "gold_high", "proxy_score", *COSTS, "seeds", "seeds_run",
    *(f"outdone_by_{cost}" for cost in COSTS),
)  # fmt: skip


def pareto_frame(results: Results) -> pd.DataFrame:
    """One row per method and budget: means over seeds at the budget's own policies.

    A budget that only some seeds reached carries their number in ``seeds`` and is left out of the
    question who is outdone. ``outdone_by_`` a cost: another policy of the same task, world, proxy,
    noise and way of paying has at least the gold for at most the cost, and one of them better;
    empty where the cost or the way of paying is not known, or the cost is 0 for all. Best-of-n
    draws as many samples as its ``samples_drawn`` for one answer to each prompt; a method that
    trains has drawn them once. Of a method that pays per answer and trains something beside the
    policy, costs are the sum of both.
    """
    rows: list[dict[str, object]] = []
    points = results.points
    for _, group in points.groupby([*GROUP, "version"], dropna=False, sort=False):
        first = group.iloc[0]
        method = str(first["method_label"])
        family = results.families.get(method, "")
        known: dict[str, object] = {
            "task": str(first["task_label"]),
            "world": int(first["world"]),
            "proxy": str(first["proxy_label"]),
            "noise": str(first["noise"]),
            "family": family,
            "method": method,
            "paid": _PAID[results.paid_once.get(method)],
        }
        met = group[(group["status"] == "ok") & group["kl_target_nats"].notna()]
        for target, at in met.groupby("kl_target_nats", sort=True):
            rows.append(
                {
                    **known,
                    "kl_target_nats": float(str(target)),
                    "kl_nats": at["kl_nats"].mean(),
                    **spread("gold", t_interval(at["gold_mean"].to_numpy(np.float64))),
                    "proxy_score": at["proxy_mean"].mean(),
                    **{cost: at[cost].mean() for cost in COSTS},
                    "seeds": at["seed"].nunique(),
                    "seeds_run": group["seed"].nunique(),
                }
            )
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    for cost in COSTS:
        table[f"outdone_by_{cost}"] = _outdone(table, cost)
    return table


def _outdone(table: pd.DataFrame, cost: str) -> pd.Series[bool]:
    """Whether a row is dominated in gold and a cost by others of its place that pay alike."""
    found = pd.Series(pd.NA, index=table.index, dtype="boolean")
    known = table[cost].notna() & (table["paid"] != UNKNOWN)
    whole = table[(table["seeds"] == table["seeds_run"]) & known]
    for _, rows in whole.groupby([*_PLACE, "paid"], sort=False):
        if not rows[cost].max() > 0:
            continue
        front = pareto_front(rows[cost].to_numpy(np.float64), rows["gold"].to_numpy(np.float64))
        best = dict(zip(front.kl_K.tolist(), front.gold_K.tolist(), strict=True))
        found.loc[rows.index] = [
            best.get(float(paid)) != float(gold)
            for paid, gold in zip(rows[cost], rows["gold"], strict=True)
        ]
    return found


def label_of(row: Mapping[Any, Any]) -> str:
    """A method with its family."""
    family = str(row["family"])
    return f"{row['method']} ({family})" if family else str(row["method"])
