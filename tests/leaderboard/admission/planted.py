"""Planted worlds: run folders against the controls whose gold follows known laws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from overopt.commands.admit.admit import judge_runs
from overopt.leaderboard.admission.ledger import Row
from overopt.run.contrasts import budget_rows, contrast_rows, world_rows
from overopt.run.records import to_csv
from overopt.run.written.seed_tables import SeedGroup, SeedTable
from overopt.spec.columns import BUDGET_COLUMNS, CONTRAST_COLUMNS, POINT_COLUMNS, WORLD_COLUMNS
from overopt.stats.equal_kl import SeedPoints

KLS = (0.5, 1.0, 2.0, 4.0)
PROMPTS = 24
SOUND: Mapping[str, Sequence[float]] = {
    "single": (0.5, 0.7, 0.6, 0.2),
    "control-gold": (0.8, 1.2, 1.6, 2.0),
    "control-longest": (0.1, 0.1, 0.0, -0.1),
    "control-random": (0.0, 0.0, 0.0, 0.0),
    "control-constant": (),
}
"""Gold at each KL against each reward, in a world that is as it should be."""


def plant(
    root: Path,
    laws: Mapping[str, Sequence[float]],
    *,
    worlds: Sequence[int] = (0,),
    seeds: int = 5,
    noise: float = 0.05,
    task: str = "tabular",
) -> None:
    """Write a run of best-of-n against every reward.

    Args:
        root: of run folders.
        laws: gold at each KL by reward; as long as the reward gets.
        worlds, seeds: what was run.
        noise: SD of gold between seeds.
        task: its name.
    """
    rows: list[dict[str, object]] = []
    groups = []
    for proxy, gold_K in laws.items():
        for world in worlds:
            tables = []
            for seed in range(seeds):
                rng = np.random.default_rng([world, seed, sum(map(ord, proxy))])
                mean_K = np.array([0.0, *gold_K])
                mean_K[1:] += noise * rng.normal(size=len(gold_K))
                kl_K = np.array([0.0, *KLS[: len(gold_K)]])
                off_KB = 0.2 * noise * rng.normal(size=(len(kl_K), PROMPTS))
                gold_KB = mean_K[:, None] + off_KB - off_KB.mean(axis=1, keepdims=True)
                cell = {
                    "task": task, "world": world, "gold": "rule", "method": "bon", "proxy": proxy,
                    "noise": "0", "seed": seed, "engine": "native", "along": "knob",
                    "proxy_start": "scratch", "proxy_width": 8, "comparisons": 64, "knob": "n",
                }  # fmt: skip
                for k, kl in enumerate(kl_K):
                    rows.append({
                        **cell, "step": 0, "kl_nats": kl, "kl_se": 0.0,
                        "kl_estimator": "exact" if k else "definition",
                        "kl_target_nats": kl if k else None, "gold_mean": float(mean_K[k]),
                        "gold_gain_se": 0.2 * noise / PROMPTS**0.5,
                        "gold_raw_mean": 0.5 + float(mean_K[k]),
                        "proxy_mean": 0.9 * kl, "n_prompts": PROMPTS, "n_samples": 8 * PROMPTS,
                        "status": "ok",
                    })  # fmt: skip
                missed = KLS[len(gold_K) :]
                rows += [{**cell, "kl_target_nats": kl, "status": "unreached"} for kl in missed]
                points = SeedPoints(kl_K, np.array([np.nan, *kl_K[1:]]))
                tables.append(SeedTable(points, gold_KB, np.zeros((len(kl_K), PROMPTS))))
            identity = {"world": world, "proxy": proxy, "noise": "0", "proxy_start": "scratch",
                        "proxy_width": 8, "comparisons": 64}  # fmt: skip
            if gold_K:
                groups.append(SeedGroup(identity, tables, seeds))
    folder = root / task / "bon" / "knob-0000000000"
    folder.mkdir(parents=True)
    (folder / "points.csv").write_text(to_csv(POINT_COLUMNS, rows))
    (folder / "contrasts.csv").write_text(to_csv(CONTRAST_COLUMNS, contrast_rows(groups)))
    (folder / "budgets.csv").write_text(to_csv(BUDGET_COLUMNS, budget_rows(groups)))
    if len(worlds) > 1:
        (folder / "worlds.csv").write_text(to_csv(WORLD_COLUMNS, world_rows(groups)))
    front = pd.DataFrame({"world": 0, "kl_nats": [0.0, 4.0], "gold": [0.0, 2.1], "gold_se": "",
                          "estimator": "exact", "ess": ""})  # fmt: skip
    front.to_csv(folder / "front.csv", index=False)
    (folder / "run.json").write_text(
        '{"spec": {"methods": [{"name": "bon", "family": "selection"}]}}'
    )


def judged(root: Path, task: str = "tabular") -> Row:
    """The first row of a planted task: over all worlds."""
    return judge_runs([task], root)[0]
