"""How proxy and gold are distributed over a run's policies, and what single members score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.points import Floats, member_scores, read_pool
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.execution.contract import Progress
from overopt.spec.system import ProxySystemSpec
from overopt.stats.diagnostics.discrepancy import mean_discrepancy, median_distance

SCORES = "scores.json"
COMPONENTS = 3
"""Members whose mean scores are told, from the first on."""
_COMPARED = 1024
"""Samples of a policy whose scores are compared, over all prompts; one of each prompt at least."""


def has_components(spec: ProxySystemSpec) -> bool:
    """Whether each member learns one term of the rule; a head of its own learns several at once."""
    return "terms" in spec.labels and not spec.own_head


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write a row for the initial policy, and one for each snapshot of ``evaluate.0``.

    ``mmd`` is the distance of the distributions of proxy and gold, each in the units of points:
    SDs of the initial policy (gold), recentered (proxy). The kernel's width is the median distance
    of two of all these scores under the initial policy. ``component_1`` and on are mean scores of
    members that learn one attribute each, as a constrained method sees them: in SDs of the initial
    policy, and not recentered.

    params: ``system`` (ProxySystemSpec). inputs: those of ``stages.measure`` for one run.
    """
    spec = ProxySystemSpec.model_validate(params["system"])
    system = open_as(OpenedProxy, locate_own(spec, inputs))
    pool = read_pool(inputs, system)
    prompts = len(pool.gold_BN)
    first = max(1, _COMPARED // prompts)
    gold_N, proxy_N = (one_BN[:, :first].ravel() for one_BN in (pool.gold_BN, pool.proxy_BN))
    width = median_distance(np.concatenate([gold_N, proxy_N]))
    count = COMPONENTS if has_components(spec) else 0

    def row(step: int, gold_N: Floats, proxy_N: Floats, score_MN: Floats) -> dict[str, Any]:
        mean_M = score_MN.mean(axis=1)[:count]
        told = {f"component_{m}": float(mean) for m, mean in enumerate(mean_M, start=1)}
        return {"step": step, "mmd": mean_discrepancy(gold_N, proxy_N, width), **told}

    scored = Table(inputs.get("pool.scored", inputs["pool"]) / "samples.parquet")
    rows = [row(0, gold_N, proxy_N, member_scores(inputs, "pool", scored, system.members))]
    table = Table(inputs["evaluate.0"] / "samples.parquet")
    score_MN = member_scores(inputs, "0", table, system.members)
    gold_N = (table.floats("gold") - pool.gold_mean) / pool.gold_sd
    proxy_N = system.combine(score_MN) - pool.proxy_offset
    step_N, read_N = table.integers("step"), table.integers("sample_id") < first
    for snapshot in read_json(inputs["evaluate.0"] / "optimize.json")["snapshots"]:
        step = int(snapshot["step"])
        mine = (step_N == step) & read_N
        rows.append(row(step, gold_N[mine], proxy_N[mine], score_MN[:, step_N == step]))
    write_json(out / SCORES, rows)
