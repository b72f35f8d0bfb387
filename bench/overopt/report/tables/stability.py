"""How many seeds of a method that trains went wrong, and how many budgets they leapt over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from overopt.report.group import Group, SeedCurve
from overopt.report.tables.text import MISSING, TextTable, show_number
from overopt.stats.shares import Share, share

_NOTE = (
    "A seed diverged where its cell failed (a loss, gradient, reward or KL that is not finite), or "
    "where the proxy, if the method trains against it, ends below the initial policy's. "
    "Interval: of the share that diverges, exact, 95 %. Leapt over: budgets that seeds passed "
    "without a policy near them, mean over the seeds that were measured."
)


class Stability(NamedTuple):
    """What became of the seeds of a group.

    Attributes:
        diverged: seeds that failed or lost the proxy, of those that were run.
        failed: seeds with a failed row.
        lost: other seeds whose proxy ends below the initial policy's; None where the method does
            not train against it.
        leapt: budgets below a seed's largest KL at which it has no policy, mean over measured
            seeds; None without any.
    """

    diverged: Share
    failed: int
    lost: int | None
    leapt: float | None


def read_stability(group: Group, against_proxy: bool) -> Stability:
    """Count the seeds of one group.

    Args:
        group: of a single world.
        against_proxy: whether the method trains against the proxy.
    """
    failed = {one.seed for one in group.failures}
    lost = {one.seed for one in group.seeds if _ends_below_start(one)} - failed
    lost = lost if against_proxy else set()
    budgets = {one.kl_target_nats for one in group.unreached}
    budgets.update(*(_met(one) for one in group.seeds))
    leapt = [
        sum(kl < float(one.kl_nats_K.max()) for kl in budgets - _met(one)) for one in group.seeds
    ]
    return Stability(
        share(len(failed | lost), group.n_seeds),
        len(failed),
        len(lost) if against_proxy else None,
        float(np.mean(leapt)) if leapt else None,
    )


def stability_frame(groups: Sequence[Group], trained: Mapping[str, bool]) -> pd.DataFrame:
    """One row per group of a method that trains, in full precision.

    Args:
        groups: of single worlds.
        trained: labels of the methods that train, and whether against the proxy
            (`overopt.report.stored.results.Results.trained`).
    """
    rows = []
    for group, found in _read(groups, trained):
        rows.append(
            {
                **group.identity,
                "seeds": group.n_seeds,
                "diverged": found.diverged.hits,
                "diverged_low": found.diverged.low,
                "diverged_high": found.diverged.high,
                "failed": found.failed,
                "proxy_lost": found.lost,
                "leapt_budgets": found.leapt,
            }
        )
    columns = (
        *("task", "world", "method", "proxy", "noise", "seeds", "diverged", "diverged_low"),
        *("diverged_high", "failed", "proxy_lost", "leapt_budgets"),
    )
    return pd.DataFrame(rows, columns=list(columns)).astype({"proxy_lost": "Int64"})


def show_stability(groups: Sequence[Group], trained: Mapping[str, bool]) -> TextTable:
    """The same for readers, the groups of which most seeds diverged first."""
    read = sorted(_read(groups, trained), key=lambda one: -one[1].diverged.hits / one[1].diverged.n)
    rows = []
    for group, found in read:
        low, high = (f"{100 * bound:.0f} %" for bound in found.diverged[2:])
        rows.append(
            (
                *(group.titled, group.proxy, group.noise),
                f"{found.diverged.hits}/{found.diverged.n}",
                f"{low} to {high}",
                str(found.failed),
                MISSING if found.lost is None else str(found.lost),
                show_number(found.leapt, 1),
            )
        )
    hits, seeds = (sum(found.diverged[part] for _, found in read) for part in (0, 1))
    return TextTable(
        name="stability",
        title=f"Seeds that diverge: {hits} of {seeds}",
        header=(
            *("method", "proxy", "noise", "diverged", "interval", "failed", "proxy lost"),
            "budgets leapt over",
        ),
        rows=tuple(rows),
        words=3,
        note=_NOTE,
    )


def _read(groups: Sequence[Group], trained: Mapping[str, bool]) -> list[tuple[Group, Stability]]:
    return [
        (one, read_stability(one, trained[one.method])) for one in groups if one.method in trained
    ]


def _ends_below_start(curve: SeedCurve) -> bool:
    """Whether the proxy is below the initial policy's, 0, where KL is largest."""
    proxy_K = curve.measured("proxy").proxy_K
    return bool(proxy_K.size) and float(proxy_K[-1]) < 0.0


def _met(curve: SeedCurve) -> set[float]:
    """Budgets that a seed has a policy for, nats."""
    return {float(target) for target in curve.target_K if target > 0.0}
