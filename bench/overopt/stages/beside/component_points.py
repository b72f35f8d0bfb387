"""Where gold is highest over the components of a reward together, and over each alone.

Looked at; no method is handed it here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.points import check_prompt_major, member_scores
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.execution.contract import Progress
from overopt.stats.pools.component_points import (
    Best,
    ComponentPoints,
    component_points,
    search_gains,
    simplex,
)
from overopt.stats.pools.n_grids import fit_grid

POINTS = "component_points.json"
PER_LARGEST = 4
"""A pool holds so many times the largest n that is searched."""
HALVES = {"first": slice(0, None, 2), "second": slice(1, None, 2), "all": slice(None)}
"""Prompts that a search reads: every other one, the rest, all."""


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write a row for each half of the prompts, kind of search and component.

    Gold is in SDs of the initial policy, components are in SDs of their own scores there; both are
    gains over the initial policy.

    params: ``members``. inputs: ``pool``, ``score.pool.<m>``.
    """
    members = int(params["members"])
    table = Table(inputs["pool"] / "samples.parquet")
    prompt_id_N = table.integers("prompt_id")
    prompts = int(prompt_id_N.max()) + 1
    check_prompt_major(prompt_id_N, prompts)
    summary = read_json(inputs["pool"] / "summary.json")
    gold_BN = ((table.floats("gold") - summary["gold_mean"]) / summary["gold_sd"]).reshape(
        prompts, -1
    )
    scores_MN = member_scores(inputs, "pool", table, members)
    member_MBN = scores_MN.reshape(members, prompts, -1)
    weight_DM = simplex(members)
    n_K = fit_grid(max(1, gold_BN.shape[1] // PER_LARGEST))
    gain_CDKB = search_gains(gold_BN, member_MBN, weight_DM, n_K)
    rows = [
        row
        for half, of_half in HALVES.items()
        for row in _rows(half, component_points(gain_CDKB[..., of_half], weight_DM, n_K))
    ]
    write_json(out / POINTS, rows)


def _rows(half: str, found: ComponentPoints) -> list[dict[str, Any]]:
    searches = [("joint", found.joint)] * len(found.alone) + [("alone", one) for one in found.alone]
    members = [*range(len(found.alone))] * 2
    return [
        {"half": half, "kind": kind, "member": member, **_told(one, member)}
        for member, (kind, one) in zip(members, searches, strict=True)
    ]


def _told(one: Best, member: int) -> dict[str, Any]:
    return {
        "score": float(np.float64(one.score_M[member])),
        "n": one.n,
        "gold": one.gold,
        "weights": " ".join(f"{weight:g}" for weight in one.weight_M),
    }
