"""Measured checkpoints as a run folder, which ``bench report`` and ``bench compare`` read.

Nothing was made here: the record says so, and names the checkpoints, the models and the prompts
with their digests. The columns are those of ``bench run``; where a run has KL budgets, all seeds'
checkpoints of one step count as taken for their mean KL.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overopt.execution.canonical import canonical_json
from overopt.own_runs.checkpoint_request import CheckpointRequest, Plan
from overopt.own_runs.earlier import MEASURED
from overopt.own_runs.measured import Checkpoints, MeasuredRuns
from overopt.run.contrasts import budget_rows, contrast_rows
from overopt.run.written.circumstances import circumstances
from overopt.run.written.csv_text import to_csv
from overopt.run.written.prompt_files import prompt_bytes
from overopt.run.written.seed_tables import SeedGroup, SeedTable
from overopt.spec.columns import BUDGET_COLUMNS, CONTRAST_COLUMNS, POINT_COLUMNS, PROMPTS_FILE
from overopt.stats.arrays import Floats
from overopt.stats.equal_kl import SeedPoints

_SAME = ("length_mean", "length_se", "entropy_nats", "entropy_se", "distinct_1", "distinct_2",
         "kl_k1_nats", "kl_k2_nats", "kl_k3_nats", "n_prompts", "n_samples")  # fmt: skip
"""Columns that a checkpoint's measures have under the same name."""


def run_files(
    measured: MeasuredRuns, asked: CheckpointRequest, planned: Plan, arguments: Sequence[str]
) -> dict[str, str | bytes]:
    """The files by name; none where there is no gold, without which a run has no curve.

    Args:
        measured: what was measured.
        asked: what was asked for.
        planned: its stages, which hold the digests.
        arguments: the command, for the record.
    """
    if asked.gold is None:
        return {}
    units = measured.report.units
    sds = units.proxy_sd or 1.0, units.gold_sd or 1.0
    known = _identity(asked)
    target_of = _targets(measured.checkpoints)
    rows: list[dict[str, Any]] = []
    tables: list[SeedTable] = []
    for seed, one in enumerate(measured.checkpoints):
        table = _table(one, target_of, sds)
        rows += [known | {"seed": seed} | row for row in _rows(one, table, sds)]
        tables.append(table)
    group = {"world": known["world"]} | {
        name: known[name]
        for name in ("proxy", "noise", "proxy_start", "proxy_width", "comparisons")
    }
    groups = [SeedGroup(group, tables, len(tables))]
    files: dict[str, str | bytes] = {
        "points.csv": to_csv(POINT_COLUMNS, rows),
        PROMPTS_FILE: _prompts(tables),
        "run.json": _record(measured, asked, planned, arguments, known),
    }
    for name, columns, stored in (
        ("contrasts.csv", CONTRAST_COLUMNS, contrast_rows(groups)),
        ("budgets.csv", BUDGET_COLUMNS, budget_rows(groups)),
    ):
        if stored:
            files[name] = to_csv(columns, stored)
    return files


def _identity(asked: CheckpointRequest) -> dict[str, Any]:
    """What the points of all seeds have in common; how the proxy was trained is not known."""
    assert asked.gold is not None, "without gold there is no run folder"
    return {
        "task": f"{asked.prompts.stem} ({MEASURED})",
        "world": 0,
        "gold": _name(asked.gold),
        "method": _name_together(asked.policies),
        "proxy": _name(asked.proxy),
        "noise": "unknown",
        "engine": MEASURED,
        "along": "step",
        "proxy_start": "",
        "proxy_width": None,
        "comparisons": None,
        "knob": "step",
    }


def _name(given: str) -> str:
    """What a model, a file or a folder is called."""
    path = Path(given).expanduser()
    if path.is_dir():
        return path.resolve().name
    return path.stem if path.is_file() else given.partition("@")[0]


def _name_together(policies: Sequence[str]) -> str:
    """The run's name; of several seeds, what their names begin with before a number."""
    names = [_name(one) for one in policies]
    if len(names) == 1:
        return names[0]
    starts = {re.sub(r"(?:[-_. ]?seed)?[-_. ]?[0-9]+$", "", name) for name in names}
    return starts.pop() or names[0] if len(starts) == 1 else names[0]


def _targets(runs: Sequence[Checkpoints]) -> dict[int, float]:
    """For each step that all seeds have, the mean KL of its checkpoints, nats."""
    kl_of = [{int(one["step"]): float(one["kl_nats"]) for one in run.points[1:]} for run in runs]
    common = set[int].intersection(*(set(one) for one in kl_of))
    means = {step: math.fsum(one[step] for one in kl_of) / len(kl_of) for step in sorted(common)}
    return {step: mean for step, mean in means.items() if mean > 0.0}


def _table(one: Checkpoints, target_of: Mapping[int, float], sds: tuple[float, float]) -> SeedTable:
    """One seed prompt by prompt, in SDs of the initial policy around its mean."""
    assert one.gold_KB is not None, "without gold there is no run folder"
    proxy_sd, gold_sd = sds
    kl_K = [0.0, *(max(float(point["kl_nats"]), 0.0) for point in one.points[1:])]
    target_K = [math.nan, *(target_of.get(int(p["step"]), math.nan) for p in one.points[1:])]
    return SeedTable(
        SeedPoints(np.array(kl_K), np.array(target_K)),
        (one.gold_KB - one.gold_KB[0].mean()) / gold_sd,
        (one.proxy_KB - one.proxy_KB[0].mean()) / proxy_sd,
    )


def _rows(one: Checkpoints, table: SeedTable, sds: tuple[float, float]) -> list[dict[str, Any]]:
    """A seed's rows of ``points.csv``, but for what all of them share."""
    rows = []
    for k, point in enumerate(one.points):
        kl_nats, target = float(table.points.kl_K[k]), float(table.points.target_K[k])
        row: dict[str, Any] = {name: point.get(name) for name in _SAME}
        row |= {
            "step": int(point["step"]),
            "knob_value": float(point["step"]) if k else None,
            "kl_target_nats": None if math.isnan(target) else target,
            "kl_nats": kl_nats,
            "kl_se": _finite(point.get("kl_se_nats")) if k else 0.0,
            "kl_estimator": "rb" if k else "definition",
            "kl_rb_nats": kl_nats if k else None,
            "kl_rb_se": _finite(point.get("kl_se_nats")) if k else None,
            "gold_mean": (float(point["gold"]) - float(one.points[0]["gold"])) / sds[1],
            "gold_se": _finite(point.get("gold_se"), sds[1]),
            "gold_gain_se": _paired_error(table.gold_KB[k] - table.gold_KB[0]),
            "gold_raw_mean": float(point["gold"]),
            "proxy_mean": (float(point["proxy"]) - float(one.points[0]["proxy"])) / sds[0],
            "proxy_se": _finite(point.get("proxy_se"), sds[0]),
            "status": "ok",
        }
        if not k:  # of no distance there are no estimates
            row |= dict.fromkeys(("kl_k1_nats", "kl_k2_nats", "kl_k3_nats"))
        rows.append(row)
    return rows


def _finite(value: Any, sd: float = 1.0) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value) / sd


def _paired_error(gain_B: Floats) -> float | None:
    return float(gain_B.std(ddof=1) / math.sqrt(gain_B.size)) if gain_B.size > 1 else None


def _prompts(tables: Sequence[SeedTable]) -> bytes:
    gold_RB = np.concatenate([table.gold_KB for table in tables])
    row_RB, prompt_RB = np.indices(gold_RB.shape)
    return prompt_bytes(row_RB.ravel(), prompt_RB.ravel(), gold_RB.ravel())


def _record(
    measured: MeasuredRuns,
    asked: CheckpointRequest,
    planned: Plan,
    arguments: Sequence[str],
    known: Mapping[str, Any],
) -> str:
    """What was measured, by which command and with what; it was made elsewhere."""
    initial = planned.runs[0][0].params
    units = measured.report.units
    provenance = {
        "checkpoints": [
            {
                "policy": policy,
                "seed_of_samples": asked.seed + number,
                "steps": {
                    str(made.params["step"]): _digest(made.params["policy"]) for made in run[1:]
                },
            }
            for number, (policy, run) in enumerate(zip(asked.policies, planned.runs, strict=True))
        ],
        "reference": {"given": asked.reference, **_digest(initial["reference"])},
        "proxy": {"given": asked.proxy, **_reward_digest(asked.proxy, initial["proxy"])},
        "gold": {"given": asked.gold, **_reward_digest(str(asked.gold), initial["gold"])},
        "prompts": {"given": str(asked.prompts), "sha256": initial["prompts"]["digest"]},
        "samples_per_prompt": asked.samples,
        "max_new_tokens": asked.max_new_tokens,
        "template": asked.template,
        "reward_template": asked.reward_template,
        "dtype": asked.dtype,
        "units": {"proxy_sd": units.proxy_sd, "gold_sd": units.gold_sd},
        "made_here": False,
    }
    spec = {
        "task": {"name": known["task"]},
        "gold": {"name": known["gold"]},
        "methods": [{"name": known["method"], "family": MEASURED}],
        "proxies": [{"name": known["proxy"]}],
        "seeds": list(range(len(planned.runs))),
        "worlds": [known["world"]],
        MEASURED: provenance,
    }
    record = {
        "format": 1,
        "status": "ok",
        "spec": spec,
        "spec_sha256": hashlib.sha256(canonical_json(spec).encode()).hexdigest(),
        "failures": [],
        "arguments": list(arguments),
        **circumstances(),
    }
    return json.dumps(record, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _digest(origin: Mapping[str, Any]) -> dict[str, Any]:
    """What tells a model from others: the digest of its folder, or a hub's revision."""
    names = ("digest", "name", "revision")
    return {name: origin[name] for name in names if origin.get(name)}


def _reward_digest(given: str, params: Mapping[str, Any]) -> dict[str, Any]:
    if "file" in params:
        return {"sha256": hashlib.sha256(Path(given).read_bytes()).hexdigest()}
    return _digest(params["classifier"])
