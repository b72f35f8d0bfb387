"""Run folders drawn from known laws, with and without gold by prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from overopt.run.contrasts import budget_rows, contrast_rows
from overopt.run.written.csv_text import to_csv
from overopt.run.written.seed_tables import SeedGroup, SeedTable
from overopt.spec.columns import BUDGET_COLUMNS, CONTRAST_COLUMNS, POINT_COLUMNS
from overopt.stats.equal_kl import SeedPoints

BUDGETS = (1.0, 2.0, 4.0, 8.0)
PROMPTS = 24
Floats = npt.NDArray[np.float64]


def gold_of(method: str, seed: int, height: float, world: int) -> Floats:
    """Gold by budget and prompt: height sqrt(KL), seeds and prompts that all methods share."""
    letters = [ord(letter) for letter in method]
    own = np.random.default_rng([world, seed, *letters])
    prompt_B = np.random.default_rng([world, 1]).normal(0.0, 1.0, PROMPTS)
    seed_effect = np.random.default_rng([world, 2, seed]).normal(0.0, 0.1)
    kl_K = np.array([0.0, *BUDGETS])
    gain_KB = np.sqrt(kl_K)[:, None] * (
        height + seed_effect + 0.3 * prompt_B + own.normal(0.0, 0.1, (len(kl_K), PROMPTS))
    )
    start_B = np.random.default_rng([world, 3]).normal(0.0, 1.0, PROMPTS)
    return np.asarray((start_B - start_B.mean()) + gain_KB, np.float64)


def write_run(
    root: Path,
    method: str,
    height: float,
    *,
    seeds: Sequence[int] = range(5),
    worlds: Sequence[int] = (0,),
    proxy: str = "single",
    noise: str = "0",
    family: str = "rollout",
    reach: Mapping[int, float] | None = None,
    failed: Sequence[int] = (),
    by_prompt: bool = True,
    raw: float = 0.5,
    name: str = "step-0000000000",
) -> Path:
    """A run folder of one method.

    Args:
        root: the results folder.
        method: its name.
        height: gold at 1 nat; at k nats it is height sqrt(k), besides what is random.
        seeds, worlds, proxy, noise, family: what was run.
        reach: of seeds that end early, the largest budget, nats.
        failed: seeds without any point.
        by_prompt: whether gold by prompt is stored.
        raw: raw gold of the initial policy.
        name: the folder's.
    """
    rows: list[dict[str, object]] = []
    prompts: list[tuple[int, Floats]] = []
    groups = []
    for world in worlds:
        tables = []
        for seed in seeds:
            cell = {
                "task": "drawn", "world": world, "gold": "rule", "method": method, "proxy": proxy,
                "noise": noise, "seed": seed, "engine": "native", "along": "step",
                "proxy_start": "scratch", "proxy_width": 8, "comparisons": 64, "knob": "beta",
            }  # fmt: skip
            if seed in failed:
                rows.append({**cell, "status": "failed"})
                continue
            end = (reach or {}).get(seed, max(BUDGETS))
            gold_KB = gold_of(method, seed, height, world)
            kl_K = [0.0, *BUDGETS]
            kept = [k for k, kl in enumerate(kl_K) if kl <= end]
            for k in kept:
                prompts.append((len(rows), gold_KB[k]))
                gain_B = gold_KB[k] - gold_KB[0]
                rows.append({
                    **cell, "step": k, "kl_nats": kl_K[k], "kl_se": 0.0,
                    "kl_estimator": "rb" if k else "definition",
                    "kl_target_nats": kl_K[k] if k else None, "gold_mean": float(gain_B.mean()),
                    "gold_gain_se": float(gain_B.std(ddof=1) / np.sqrt(PROMPTS)),
                    "gold_raw_mean": raw + float(gain_B.mean()), "proxy_mean": 0.9 * kl_K[k],
                    "n_prompts": PROMPTS, "n_samples": 8 * PROMPTS, "status": "ok",
                })  # fmt: skip
            missed = [kl for kl in BUDGETS if kl > end]
            rows += [{**cell, "kl_target_nats": kl, "status": "unreached"} for kl in missed]
            target_K = np.array([np.nan, *(kl_K[k] for k in kept[1:])])
            points = SeedPoints(np.array([kl_K[k] for k in kept]), target_K)
            tables.append(SeedTable(points, gold_KB[kept], np.zeros((len(kept), PROMPTS))))
        identity = {"world": world, "proxy": proxy, "noise": noise, "proxy_start": "scratch",
                    "proxy_width": 8, "comparisons": 64}  # fmt: skip
        groups.append(SeedGroup(identity, tables, len(seeds)))
    folder = root / "drawn" / method / name
    folder.mkdir(parents=True)
    (folder / "points.csv").write_text(to_csv(POINT_COLUMNS, rows))
    (folder / "contrasts.csv").write_text(to_csv(CONTRAST_COLUMNS, contrast_rows(groups)))
    (folder / "budgets.csv").write_text(to_csv(BUDGET_COLUMNS, budget_rows(groups)))
    front = pd.DataFrame({"kl_nats": [0.0, *BUDGETS], "gold": 2 * np.sqrt([0.0, *BUDGETS]),
                          "gold_se": "", "estimator": "exact", "ess": ""})  # fmt: skip
    fronts = [front.assign(world=world) for world in worlds]
    pd.concat(fronts).to_csv(folder / "front.csv", index=False)
    record = {"spec": {"methods": [{"name": method, "family": family}], "worlds": list(worlds)},
              "finished_utc": "2026-01-01T00:00:00+00:00"}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record))
    if by_prompt and prompts:
        write_prompts(folder, prompts)
    return folder


def write_prompts(folder: Path, prompts: Sequence[tuple[int, Floats]]) -> None:
    """``prompts.parquet`` as a run writes it."""
    row_N = np.repeat([row for row, _ in prompts], [gold.size for _, gold in prompts])
    prompt_N = np.concatenate([np.arange(gold.size) for _, gold in prompts])
    gold_N = np.concatenate([gold for _, gold in prompts])
    columns = {
        "row": row_N.astype(np.int32),
        "prompt_id": prompt_N.astype(np.int32),
        "gold": gold_N.astype(np.float32),
    }
    pq.write_table(pa.table(columns), folder / "prompts.parquet", write_page_checksum=True)
