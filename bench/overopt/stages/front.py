"""The oracle front: the best gold that any policy can have at each KL from the initial policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.tables import Table, read_json, write_json
from overopt.execution.contract import Progress
from overopt.stats.pools.annealing import Rung, gold_at
from overopt.stats.pools.fronts import OracleFront, oracle_front, oracle_front_exact


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Trace the tilted reference pi_ref exp(gold / b) over ``kl_grid_nats``.

    Exact where there is a ``listing`` of every response. Else from the pool, up to the first rung
    where ``anneal`` goes on from it, and up to the pool's effective-sample-size limit where not.
    Gold in SDs of the initial policy around its mean, of the policy itself where it is listed and
    else of the pool. Each point says what it comes from:
    ``exact``, ``pool`` with its effective sample size, or ``annealed`` with the Monte Carlo
    standard error of its gold.
    """
    summary = read_json(inputs["pool"] / "summary.json")
    mean, sd = float(summary["gold_mean"]), float(summary["gold_sd"])
    grid: list[float] = params["kl_grid_nats"]
    rungs: list[Rung] = []
    if "listing" in inputs:
        table = Table(inputs["listing"] / "samples.parquet")
        p_BR = np.exp(_by_prompt(table, "reference_logp"))
        gold_BR = _by_prompt(table, "gold") / sd
        # the initial policy's gold is known here, and points are gains over it
        start = float((p_BR * gold_BR).sum(axis=1).mean())
        front, estimator = oracle_front_exact(gold_BR - start, p_BR, grid), "exact"
    else:
        gold_BN = (_by_prompt(Table(inputs["pool"] / "samples.parquet"), "gold") - mean) / sd
        front, estimator = oracle_front(gold_BN, grid), "pool"
        if "anneal" in inputs:
            rungs = [Rung(**rung) for rung in read_json(inputs["anneal"] / "rungs.json")]
    points, reached = _join(front, estimator, rungs, grid)
    write_json(
        out / "front.json",
        {
            "points": points,
            "unreachable_kl_nats": [kl_nats for kl_nats in grid if kl_nats not in reached],
            "kl_limit_nats": front.kl_limit_nats,
        },
    )


def _by_prompt(table: Table, name: str) -> np.ndarray:
    """A column of prompt-major rows as (B, N)."""
    prompts = int(table.integers("prompt_id").max()) + 1
    return table.floats(name).reshape(prompts, -1)


def _join(
    front: OracleFront, estimator: str, rungs: list[Rung], grid: list[float]
) -> tuple[list[dict[str, Any]], set[float]]:
    """Points in increasing KL, and the KLs of the grid that have one."""
    told = dict(zip(_reachable(front, grid), front.points, strict=True))
    points: list[dict[str, Any]] = []
    reached: set[float] = set()
    for kl_nats in sorted(set(grid)):
        beyond = bool(rungs) and kl_nats > rungs[0].kl_nats
        found = gold_at(rungs, kl_nats) if beyond else None
        if found is not None:
            gold, gold_se, b = found
            point = {"kl_nats": kl_nats, "gold": gold, "b": b, "ess": None}
            points.append({**point, "estimator": "annealed", "gold_se": gold_se})
        elif kl_nats in told:
            points.append({**told[kl_nats]._asdict(), "estimator": estimator, "gold_se": None})
        else:
            continue
        reached.add(kl_nats)
    return points, reached


def _reachable(front: OracleFront, grid: list[float]) -> list[float]:
    return [kl_nats for kl_nats in sorted(set(grid)) if kl_nats not in front.unreachable_kl]
