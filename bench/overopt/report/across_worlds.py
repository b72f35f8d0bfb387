"""Lines of figures and of the terminal's table: means over worlds where several were run.

Lines that stand side by side must be of the same worlds. A method whose proxies or noise levels
were run in different worlds gets one set of lines for each set of worlds, named after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from overopt.report.group import (
    QUANTITIES,
    BudgetMean,
    Failure,
    Group,
    Places,
    Quantity,
    Unreached,
)
from overopt.report.noise_labels import noise_order
from overopt.report.stored.intervals import LEVEL
from overopt.stats.crossed import Crossed, Place
from overopt.stats.world_means import OverWorlds, over_worlds

Line = tuple[str, str, str]
NOT_STORED = "no peak or end over worlds: none was stored"


def across_worlds(groups: Sequence[Group]) -> list[Group]:
    """Each method, proxy and noise as a mean over its worlds; ``parts`` are the worlds' own groups.

    A task of one world keeps its groups as they are.
    """
    found = []
    for task in sorted({group.task for group in groups}):
        found += _of_task([group for group in groups if group.task == task])
    return found


def _of_task(groups: Sequence[Group]) -> list[Group]:
    by_line: dict[Line, dict[int, Group]] = {}
    for group in groups:
        by_line.setdefault((group.method, group.proxy, group.noise), {})[group.world] = group
    several = len({tuple(sorted(mine)) for mine in by_line.values()}) > 1
    lines = []
    for method in sorted({group.method for group in groups}):
        own = {line: mine for line, mine in by_line.items() if line[0] == method}
        for worlds in sorted({tuple(sorted(mine)) for mine in own.values()}):
            where = _name_worlds(worlds) if several else ""
            lines += [
                _combine([mine[world] for world in worlds], where)
                for mine in own.values()
                if mine.keys() >= set(worlds)
            ]
    return sorted(lines, key=lambda g: (g.method, g.where, g.proxy, noise_order(g.noise)))


def _name_worlds(worlds: Sequence[int]) -> str:
    return f"world{'s' if len(worlds) > 1 else ''} {', '.join(map(str, worlds))}"


def _combine(members: Sequence[Group], where: str) -> Group:
    """The mean over worlds of groups that differ in their world only."""
    first = members[0]
    if len(members) == 1:
        return replace(first, where=where)
    return Group(
        task=first.task,
        worlds=tuple(group.world for group in members),
        where=where,
        method=first.method,
        proxy=first.proxy,
        noise=first.noise,
        seeds=tuple(seed for group in members for seed in group.seeds),
        n_seeds=sum(group.n_seeds for group in members),
        places=_places(members),
        means={name: _means(members, name) for name in QUANTITIES},
        unreached=_unreached(members),
        failures=tuple(Failure(one.seed, one.whole) for group in members for one in group.failures),
        n_negative=sum(group.n_negative for group in members),
        estimator="+".join(sorted({e for g in members for e in g.estimator.split("+") if e})),
        parts=tuple(members),
        size=first.size,
    )


def _means(members: Sequence[Group], quantity: Quantity) -> list[BudgetMean]:
    """Means over the worlds that have one, at the initial policy and at every budget."""
    at: dict[tuple[float, float], list[BudgetMean]] = {}
    for group in members:
        for mean in group.means[quantity]:
            target = -1.0 if mean.kl_target_nats is None else mean.kl_target_nats
            place = (target, mean.kl_nats if target < 0 else 0.0)
            at.setdefault(place, []).append(mean)
    means = []
    for place in sorted(at, key=lambda one: float(np.mean([mean.kl_nats for mean in at[one]]))):
        mine = at[place]
        achieved = [mean.achieved_kl_nats for mean in mine if mean.achieved_kl_nats is not None]
        means.append(
            BudgetMean(
                mine[0].kl_target_nats,
                float(np.mean([mean.kl_nats for mean in mine])),
                float(np.mean(achieved)) if achieved else None,
                _interval(over_worlds([mean.score for mean in mine]), mine[0].score),
            )
        )
    return means


def _interval(mean: OverWorlds, like: Crossed) -> Crossed:
    """The interval that a verdict reads: across worlds, or within them where they are two."""
    bounds = mean.decisive
    assert bounds.mean is not None, "there is at least one world"
    return like._replace(
        mean=bounds.mean,
        low=bounds.low,
        high=bounds.high,
        se=bounds.se,
        df=None,
        n_seeds=mean.n_seeds,
        over="these worlds" if bounds is mean.within else "worlds",
    )


def _unreached(members: Sequence[Group]) -> tuple[Unreached, ...]:
    missed: dict[float, int] = {}
    for group in members:
        for one in group.unreached:
            missed[one.kl_target_nats] = missed.get(one.kl_target_nats, 0) + one.n_seeds
    return tuple(Unreached(target, missed[target]) for target in sorted(missed))


def _places(members: Sequence[Group]) -> Places:
    """Peak, end and fall as stored with a run of these very worlds and as many seeds.

    Any member may be of that run: rows that several runs hold alike count for one of them.
    """
    worlds, seeds = {group.world for group in members}, sum(group.n_seeds for group in members)
    rows = [group.over_worlds for group in members if group.over_worlds is not None]
    row = next((one for one in rows if one["of"] == worlds and one["seeds"] == seeds), None)
    if row is None:
        return Places(note=NOT_STORED)
    n_seeds = min(group.n_seeds for group in members)
    fall = None if np.isnan(row["fall"]) else _stored(row, "fall", n_seeds)
    return Places(
        Place(row["peak_kl_target_nats"], row["peak_kl_nats"], _stored(row, "peak_gold", n_seeds)),
        Place(row["end_kl_target_nats"], row["end_kl_nats"], _stored(row, "end_gold", n_seeds)),
        fall,
    )


def _stored(row: Mapping[str, Any], name: str, n_seeds: int) -> Crossed:
    """A stored mean over worlds; exploratory by the seeds of the world that has the fewest."""
    kind = "across" if row["over"] == "worlds" else "within"
    low, high = (float(row[f"{name}_{kind}_{side}"]) for side in ("low", "high"))
    return Crossed(
        mean=float(row[name]),
        low=None if np.isnan(low) else low,
        high=None if np.isnan(high) else high,
        se=None,
        df=None,
        n_seeds=n_seeds,
        n_prompts=0,
        level=LEVEL,
        over=row["over"],
    )
