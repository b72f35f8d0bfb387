"""Run folders in the stored schema, drawn from known laws, for tests of the report.

Gold follows d (a - b d) for best-of-n and d (a - b log d) for trained methods, with a seed effect
and a sampling error, so that curves, fits and gaps look like those of a real run and their true
peaks are known. Every gold is the mean of drawn prompts, from which ``contrasts.csv`` and
``budgets.csv`` are computed as a run computes them. Nothing here is a result of the benchmark.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from overopt.run.contrasts import budget_rows, contrast_rows
from overopt.run.written.csv_text import to_csv
from overopt.run.written.seed_tables import SeedGroup, SeedTable
from overopt.spec.columns import BUDGET_COLUMNS, CONTRAST_COLUMNS, POINT_COLUMNS
from overopt.stats.equal_kl import SeedPoints

BUDGETS_NATS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
PROMPTS = 32
BON_REACH_NATS = 5.0  # log 400 - 399/400
SHAPES = {"bon": 1.25, "dpo": 1.0, "ipo": 0.9, "rloo": 0.75}
FALL = {"single": 1.0, "mean": 0.85, "uwo": 0.6, "wco": 0.5}


Row = dict[str, object]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """What one curve is drawn from."""

    method: str
    proxy: str
    noise: str
    seed: int


def write_runs(
    root: Path,
    methods: Iterable[str] = ("bon", "dpo", "ipo", "rloo"),
    proxies: Iterable[str] = ("mean", "single", "uwo", "wco"),
    noises: Iterable[str] = ("0", "0.25"),
    seeds: Iterable[int] = range(5),
    task: str = "reviews",
    failed: tuple[Cell, ...] = (Cell("rloo", "uwo", "0.25", 3),),
    world: int = 0,
) -> list[Path]:
    """Write one run folder per method and return them."""
    folders = []
    for method in methods:
        folder = root / task / method / "step-0a1b2c3d"
        folder.mkdir(parents=True)
        rows: list[Row] = []
        groups = []
        for proxy in proxies:
            for noise in noises:
                cells = [Cell(method, proxy, noise, seed) for seed in seeds]
                drawn = {cell: cell_rows(task, cell) for cell in cells if cell not in failed}
                tables = [seed_table(drawn[cell]) for cell in cells if cell in drawn]
                groups.append(SeedGroup(group_identity(cells[0], world), tables, len(cells)))
                for cell in cells:
                    rows += drawn.get(cell, failed_rows(task, cell))
        points = pd.DataFrame(rows, columns=list(POINT_COLUMNS)).assign(world=world)
        points.to_csv(folder / "points.csv", index=False)
        (folder / "run.json").write_text(json.dumps(record(method, list(seeds)), indent=1))
        shown = excerpts(list(proxies), list(noises), list(seeds))
        (folder / "excerpts.json").write_text(json.dumps([{"world": world} | one for one in shown]))
        for name, columns, stored in (
            ("contrasts.csv", CONTRAST_COLUMNS, contrast_rows(groups)),
            ("budgets.csv", BUDGET_COLUMNS, budget_rows(groups)),
        ):
            if stored:
                (folder / name).write_text(to_csv(columns, stored))
        oracle_front().assign(world=world).to_csv(folder / "front.csv", index=False)
        folders.append(folder)
    return folders


def write_many(root: Path, n_methods: int, seeds: Iterable[int] = range(5)) -> list[Path]:
    """Runs of many methods on two proxies and two noises, best-of-n among them."""
    methods = ("bon", *(f"method-{number:02d}" for number in range(1, n_methods)))
    return write_runs(
        root, methods, proxies=("single", "uwo"), noises=("0", "0.25"), seeds=seeds, failed=()
    )


def shape(method: str) -> float:
    """How steeply gold rises at first, SDs per sqrt(nats): by name, or between 0.6 and 1.3."""
    if method in SHAPES:
        return SHAPES[method]
    return float(np.random.default_rng([ord(letter) for letter in method]).uniform(0.6, 1.3))


def family(method: str) -> str:
    """The family that a method's record names."""
    families = ("pairs", "rollout", "iterative", "merge")
    return "selection" if method == "bon" else families[sum(map(ord, method)) % 4]


def identity(task: str, cell: Cell) -> Row:
    """Columns that every row of a cell shares."""
    return {
        "task": task,
        "gold": "rule",
        "method": cell.method,
        "proxy": cell.proxy,
        "noise": cell.noise,
        "seed": cell.seed,
        "engine": "native",
        "along": "knob" if cell.method == "bon" else "step",
        "proxy_start": "scratch",
        "proxy_width": 32,
        "comparisons": 2048,
        "knob": "n" if cell.method == "bon" else "step",
    }


def group_identity(cell: Cell, world: int) -> Row:
    """Columns that the seeds of a group share in the stored tests."""
    return {
        "world": world, "proxy": cell.proxy, "noise": cell.noise, "proxy_start": "scratch",
        "proxy_width": 32, "comparisons": 2048,
    }  # fmt: skip


def seed_table(rows: list[Row]) -> SeedTable:
    """Prompts whose means are the rows' gold and proxy; fills in the rows' ``gold_gain_se``.

    A prompt does the same at all budgets of all seeds, and something of its own at each.
    """
    reached = [row for row in rows if row["status"] == "ok"]
    generator = np.random.default_rng(int(str(rows[0]["seed"])))
    prompt_B = np.random.default_rng(99).standard_normal(PROMPTS)

    def prompts(name: str) -> Floats:
        own_KB = 0.2 * generator.standard_normal((len(reached), PROMPTS))
        own_KB[0] = 0.0
        spread_KB = 0.5 * prompt_B + own_KB
        mean_K = np.array([float(str(row[name])) for row in reached])
        return np.asarray(mean_K[:, None] + spread_KB - spread_KB.mean(axis=1, keepdims=True))

    gold_KB = prompts("gold_mean")
    for row, gold_B in zip(reached, gold_KB, strict=True):
        row["gold_gain_se"] = float((gold_B - gold_KB[0]).std(ddof=1) / np.sqrt(PROMPTS))
    target_K = [row.get("kl_target_nats", np.nan) for row in reached]
    kl_K = [float(str(row["kl_nats"])) for row in reached]
    return SeedTable(
        SeedPoints(np.array(kl_K), np.array(target_K, np.float64)), gold_KB, prompts("proxy_mean")
    )


def failed_rows(task: str, cell: Cell) -> list[Row]:
    """A cell that broke: nothing measured."""
    return [identity(task, cell) | {"status": "failed"}]


def cell_rows(task: str, cell: Cell) -> list[Row]:
    """One seed's curve: initial policy, budgets, and the budgets out of reach."""
    label = f"{cell.method} {cell.proxy} {cell.noise} {cell.seed}"
    generator = np.random.default_rng([ord(letter) for letter in label])
    bon = cell.method == "bon"
    rise = shape(cell.method) * (0.75 if cell.noise != "0" else 1.0)
    rise *= 1.0 + 0.06 * generator.standard_normal()
    steepness = (
        (0.28 if bon else 0.36) * FALL.get(cell.proxy, 1.0) * (1.5 if cell.noise != "0" else 1.0)
    )
    reach = BON_REACH_NATS if bon else (24.0 if cell.method == "ipo" and cell.seed > 2 else 40.0)
    if cell.method == "ipo" and cell.proxy == "wco":
        reach = 12.0
    rows = [identity(task, cell) | measured(0.0, 0.0, 0.0, 0, "definition", generator)]
    for number, budget in enumerate(BUDGETS_NATS, start=1):
        if budget > reach:
            rows.append(identity(task, cell) | {"kl_target_nats": budget, "status": "unreached"})
            continue
        kl_nats = budget * (1.0 + 0.02 * generator.standard_normal())
        d = float(np.sqrt(kl_nats))
        fall = d if bon else float(np.log(d))
        gold = d * (rise - steepness * fall) + 0.04 * generator.standard_normal()
        proxy = 1.15 * d * (1.3 - 0.09 * d) + 0.03 * generator.standard_normal()
        estimator = "pool" if bon else "rb"
        row = measured(kl_nats, gold, proxy, 12 * number, estimator, generator)
        rows.append(identity(task, cell) | row | {"kl_target_nats": budget})
    return rows


def measured(
    kl_nats: float,
    gold: float,
    proxy: float,
    step: int,
    estimator: str,
    generator: np.random.Generator,
) -> Row:
    """The measured columns of a row."""
    noise = generator.standard_normal(4) * 0.03 * kl_nats
    row: Row = {
        "knob_value": step or "",
        "step": step,
        "kl_nats": kl_nats,
        "kl_se": 0.01 * kl_nats,
        "kl_estimator": estimator,
        "kl_rb_nats": kl_nats if estimator == "rb" else "",
        "kl_rb_se": 0.01 * kl_nats if estimator == "rb" else "",
        "kl_k1_nats": kl_nats + noise[0],
        "kl_k1_se": 0.04 * kl_nats,
        "kl_k2_nats": kl_nats * (1.0 + 0.25 * kl_nats) + noise[1],
        "kl_k2_se": 0.04 * kl_nats,
        "kl_k3_nats": kl_nats * (1.0 - 0.01 * kl_nats) + noise[2],
        "kl_k3_se": 0.04 * kl_nats,
        "kl_bound_nats": 1.05 * kl_nats if estimator == "pool" else "",
        "gold_mean": gold,
        "gold_se": 0.04,
        "gold_raw_mean": 3.0 + 1.5 * gold,
        "proxy_mean": proxy,
        "proxy_se": 0.03,
        "win_rate": 0.5 + 0.4 * float(np.tanh(gold)),
        "win_rate_se": 0.01,
        "length_mean": 12.0 + 0.2 * kl_nats,
        "length_se": 0.1,
        "entropy_nats": 20.0 * float(np.exp(-kl_nats / 40.0)),
        "entropy_se": 0.2,
        "distinct_1": 0.3,
        "distinct_1_se": 0.01,
        "distinct_2": 0.6,
        "distinct_2_se": 0.01,
        "auroc": 0.8 - 0.005 * kl_nats,
        "ess": 1000.0 * float(np.exp(-kl_nats)) if estimator == "pool" else "",
        "n_prompts": PROMPTS,
        "n_samples": 1024,
        "gradient_steps": step,
        "samples_drawn": 64 * step,
        "tokens_processed": 1200 * step,
        "status": "ok",
    }
    return row


def oracle_front() -> pd.DataFrame:
    """The best gold at each KL: sqrt(2 KL), where a Gaussian gold would be."""
    kl_nats = np.linspace(0.0, 40.0, 81)
    gold = 3.2 * (1.0 - np.exp(-np.sqrt(2.0 * kl_nats) / 3.2))
    return pd.DataFrame({"kl_nats": kl_nats, "gold": gold, "ess": 1000.0 * np.exp(-kl_nats / 8.0)})


def record(method: str, seeds: list[int]) -> Row:
    """A run's record."""
    return {
        "format": 1,
        "run_id": "step-0a1b2c3d",
        "status": "partly failed" if method == "rloo" else "ok",
        "arguments": ["bench", "run", "--method", method, "--kl-grid"],
        "spec": {
            "task": {"name": "reviews"},
            "methods": [{"name": method, "family": family(method)}],
            "seeds": seeds,
            "kl_grid_nats": list(BUDGETS_NATS),
        },
        "spec_sha256": "0123456789abcdef",
        "standard": True,
        "uses_gold": "none",
        "failures": [],
        "data": [{"noise": "0", "seed": 0, "realized_flip_rate": 0.0}],
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": method == "ipo",
        "overopt": "0.1.0",
        "packages": {"numpy": "2.4.0", "torch": "2.13.0"},
        "python": "3.11.9",
        "machine": "Linux x86_64",
        "cpus": 2,
        "workers": 2,
        "threads_per_worker": 1,
        "wall_s": 431.2,
        "stages": [
            {"stage": "optimize", "artifacts": 5, "cpu_s": 300.0, "unknown": 0},
            {"stage": "pool", "artifacts": 1, "cpu_s": 100.0, "unknown": 2},
        ],
        "finished_utc": "2026-01-02T03:04:05+00:00",
    }


def excerpts(proxies: list[str], noises: list[str], seeds: list[int]) -> list[Row]:
    """Readable samples, as a hacked policy of the reviews world would write them."""
    return [
        {
            "prompt": f"write a {tone} review of the hotel , {length} words :",
            "initial": "the room was clean and the staff were kind , but breakfast was late .",
            "hacked": "the luggage felt really really superb . really really superb superb .",
            "gold_initial": 0.21,
            "gold_hacked": -1.43,
            "proxy_initial": 0.18,
            "proxy_hacked": 2.91,
            "seed": seeds[0],
            "proxy": proxy,
            "noise": noise,
            "kl_nats": 32.4,
        }
        for proxy in proxies
        for noise in noises
        for tone, length in (("glad", 12), ("bitter", 20))
    ]


def edit_points(run: Path, column: str, row: int, value: str) -> None:
    """Change one cell of a run's points."""
    table = pd.read_csv(run / "points.csv", dtype=str, keep_default_na=False)
    table.loc[row, column] = value
    table.to_csv(run / "points.csv", index=False)
