"""Finds the rows of every arm in run folders, by the specification that a run was made from.

Names alone would not do: two runs of one method at different settings have the same name. An arm is
found in a run whose stored task, method, proxy, axis and grid are those of the arm, whatever else
the run holds beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from overopt.errors import UserError
from overopt.report.stored.prompts import read_prompts
from overopt.report.stored.run import Run
from overopt.report.verdicts.arms import Arm, ArmRows, SeedRows
from overopt.spec.columns import TEXT
from overopt.spec.run import RunSpec
from overopt.stats.arrays import Floats
from overopt.stats.equal_kl import first_readable

_SAME = 1e-5
"""Gold by prompt is stored with 32 bits, and is in SDs of the initial policy."""

NOT_RUN = "not run"


def gather(
    specs: Mapping[Arm, RunSpec],
    runs: Iterable[Run],
    tell: Callable[[str], None] = lambda words: None,
) -> dict[Arm, ArmRows]:
    """What is stored of every arm.

    Args:
        specs: every arm of the grid, resolved; each spec has one method, proxy and noise.
        runs: everything that was stored.
        tell: told of runs that were left out because another version wrote them.

    Raises:
        UserError: a table of prompts is damaged or not that of its points.
    """
    stored = []
    for run in runs:
        spec = _spec_of(run)
        if spec is None:
            tell(f"{run.folder}: its record is of another version and tells no settings; left out")
        else:
            stored.append((run, spec))
    return {arm: _find(arm, spec, stored) for arm, spec in specs.items()}


def _spec_of(run: Run) -> RunSpec | None:
    try:
        return RunSpec.model_validate_json(json.dumps(run.record.get("spec")))
    except ValidationError:
        return None


def _find(arm: Arm, wanted: RunSpec, stored: list[tuple[Run, RunSpec]]) -> ArmRows:
    """The stored run that has most of an arm; of equals, that with all looks, or the first one."""
    best = ArmRows({}, missing=NOT_RUN)
    for run, spec in stored:
        if not holds(spec, wanted):
            continue
        found = replace(_rows_of(run, wanted), looks=frozenset(spec.looks))
        if _worth(found, wanted) > _worth(best, wanted):
            best = found
        elif best.missing == NOT_RUN and found.missing:
            best = found  # why the run that there is does not serve
    return best


def _worth(rows: ArmRows, wanted: RunSpec) -> tuple[int, int]:
    """How many seeds there are, and how many of the looks that are wanted."""
    return sum(map(len, rows.worlds.values())), len(rows.looks.intersection(wanted.looks))


def holds(spec: RunSpec, wanted: RunSpec) -> bool:
    """Whether a run holds the cells of an arm: its settings, whatever else was varied beside."""
    (method,), (proxy,), (noise,) = wanted.methods, wanted.proxies, wanted.noises
    (start,), (width,), (pairs,) = wanted.starts_of(proxy), wanted.proxy_widths, wanted.comparisons
    blind = not method.sees_proxy
    return (
        _plain(spec) == _plain(wanted)
        and method in spec.methods
        and (blind or proxy in spec.proxies)
        and noise in spec.noises
        and set(wanted.flaws) <= set(spec.flaws)
        and (blind or start in spec.starts_of(proxy))
        and (blind or start != "scratch" or width in spec.proxy_widths)
        and pairs in spec.comparisons
    )


def _plain(spec: RunSpec) -> tuple[Any, ...]:
    """What all cells of a run share; the seed of the first world is an axis."""
    world = spec.task.world.model_copy(update={"seed": 0})
    task = spec.task.model_copy(update={"world": world})
    return task, spec.gold, spec.along, spec.engine, spec.kl_grid_nats


def _rows_of(run: Run, wanted: RunSpec) -> ArmRows:
    (method,), (proxy,), (noise,) = wanted.methods, wanted.proxies, wanted.noises
    points = run.points
    labels = " ".join((noise.label, *(flaw.label for flaw in wanted.flaws)))
    mine = (
        (points["method"] == method.name)
        & (points["noise"] == labels)
        & (points["comparisons"] == wanted.comparisons[0])
        & points["world"].isin(wanted.worlds)
        & points["seed"].isin(wanted.seeds)
    )
    if method.sees_proxy:
        mine &= points["proxy"] == proxy.name
        (start,) = wanted.starts_of(proxy)
        mine &= points["proxy_start"] == start
        if start == "scratch":
            mine &= points["proxy_width"] == wanted.proxy_widths[0]
    rows = points[mine]
    broken = sorted({int(seed) for seed in rows.loc[rows["status"] == "failed", "seed"]})
    if broken:
        named = ", ".join(map(str, broken))
        return ArmRows({}, folders=(run.name,), missing=f"failed in seed {named}")
    measured = rows[(rows["status"] == "ok") & (rows["kl_nats"] >= 0.0)]
    if measured.empty:
        return ArmRows({}, missing=NOT_RUN)
    prompts = read_prompts(run.folder, run.points)
    leapt_to = _leaps(rows)
    worlds: dict[int, tuple[SeedRows, ...]] = {}
    for world in sorted({int(one) for one in measured["world"]}):
        of_world = measured[measured["world"] == world]
        curves = []
        for number, part in of_world.groupby("seed"):
            seed = int(float(str(number)))
            read = _seed_rows(run, seed, world, part.sort_values("kl_nats"), prompts)
            curves.append(replace(read, from_nats=leapt_to.get((world, seed), 0.0)))
        if curves:
            worlds[world] = tuple(curves)
    moved = measured[measured["kl_nats"] > 0.0]
    return ArmRows(worlds, "+".join(sorted(set(moved["kl_estimator"]))), (run.name,))


def _leaps(rows: pd.DataFrame) -> dict[tuple[int, int], float]:
    """By world and seed, the KL of the first point of those that leapt over a budget before it."""
    missed = rows[(rows["status"] == "unreached") & (rows["along"] == "step")]
    found = {}
    for (world, seed), part in missed.groupby(["world", "seed"]):
        mine = (rows["world"] == world) & (rows["seed"] == seed) & (rows["status"] == "ok")
        kl_K = rows.loc[mine, "kl_nats"].to_numpy(np.float64)
        key = int(float(str(world))), int(float(str(seed)))
        found[key] = first_readable(kl_K, part["kl_target_nats"])
    return found


def _seed_rows(
    run: Run, seed: int, world: int, rows: pd.DataFrame, prompts: dict[int, Floats] | None
) -> SeedRows:
    columns = {
        str(name): rows[name].to_numpy(np.float64) for name in rows.columns if name not in TEXT
        and rows[name].dtype.kind == "f"
    }  # fmt: skip
    gain_KB = None
    if prompts is not None:
        gold = [prompts[int(row)] for row in rows.index]
        if len({one.size for one in gold}) == 1 and rows["kl_nats"].iloc[0] == 0.0:
            gain_KB = np.stack(gold) - gold[0]
            off = np.abs(gain_KB.mean(axis=1) - columns["gold_mean"]).max()
            if off > _SAME * (1.0 + np.abs(gain_KB).max()):
                raise UserError(
                    f"{run.folder}: the means of prompts.parquet are not the gold of points.csv; "
                    "restore the run folder, or remove prompts.parquet to judge seed by seed."
                )
    for table in (run.diagnostics, run.rankings):
        columns |= _looked_at(table, rows, seed, world)
    return SeedRows(
        seed,
        columns["kl_nats"],
        columns["kl_target_nats"],
        columns,
        gain_KB,
        _training(run, rows, seed, world),
        angles=_angles(run, rows, seed, world),
        components=_components(run, rows, seed, world),
    )


def _of_cell(table: pd.DataFrame, rows: pd.DataFrame, seed: int, world: int) -> pd.DataFrame:
    """The rows of a table beside the points that are of the cell of some points."""
    if table.empty:
        return table
    first = rows.iloc[0]
    mine = (
        (table["world"] == world)
        & (table["seed"] == seed)
        & (table["proxy"] == first["proxy"])
        & (table["noise"] == first["noise"])
        & (table["proxy_start"] == first["proxy_start"])
        & (table["comparisons"] == first["comparisons"])
        & (table["proxy_width"].isna() | (table["proxy_width"] == first["proxy_width"]))
    )
    found: pd.DataFrame = table[mine]
    return found


def _looked_at(table: pd.DataFrame, rows: pd.DataFrame, seed: int, world: int) -> dict[str, Floats]:
    """Columns of a table beside the points, at the steps of the points; NaN where it has none."""
    found = _of_cell(table, rows, seed, world)
    if found.empty or found["step"].duplicated().any():
        return {}  # several knobs at one step: no one run
    at = found.set_index("step").reindex(rows["step"].to_numpy(np.float64))
    return {
        str(name): at[name].to_numpy(np.float64)
        for name in found.columns
        if name not in rows.columns and found[name].dtype.kind == "f"
    }


def _training(run: Run, rows: pd.DataFrame, seed: int, world: int) -> dict[str, Floats]:
    """Training step by step, of a run that is a single training run."""
    found = _of_cell(run.trajectory, rows, seed, world)
    if found.empty or found["step"].duplicated().any():
        return {}  # several members or knobs: no one run
    found = found.sort_values("step")
    return {
        str(name): found[name].to_numpy(np.float64)
        for name in found.columns
        if found[name].dtype.kind == "f"
    }


def _angles(run: Run, rows: pd.DataFrame, seed: int, world: int) -> dict[str, float]:
    """Angles between merged members by layer, degrees: the mean over pairs of members."""
    found = _of_cell(run.angles, rows, seed, world)
    there = found[found["angle_degrees"].notna()] if len(found) else found
    of_layer = there.groupby("layer")["angle_degrees"] if len(there) else ()
    return {str(layer): float(angles.mean()) for layer, angles in of_layer}


def _components(
    run: Run, rows: pd.DataFrame, seed: int, world: int
) -> dict[tuple[str, str], Floats]:
    """Scores of components where gold is highest, by half of the prompts and kind of search."""
    found = _of_cell(run.components, rows, seed, world)
    if found.empty:
        return {}
    return {
        (str(half), str(kind)): part.sort_values("member")["score"].to_numpy(np.float64)
        for (half, kind), part in found.groupby(["half", "kind"])
    }
