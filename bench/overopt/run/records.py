"""Run folders: ``results/<task>/<method>/<run_id>/`` with what was asked, what came, and how.

Append-only: a folder that exists with the same content is left alone; nothing is overwritten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overopt.execution.canonical import canonical_json
from overopt.execution.code.modules import is_file
from overopt.execution.node import Node, ancestry
from overopt.execution.outcomes import Failure
from overopt.execution.store import Store
from overopt.run.cell import Found
from overopt.run.contrasts import budget_rows, contrast_rows, world_rows
from overopt.run.own_files import without_place
from overopt.run.written.circumstances import circumstances
from overopt.run.written.csv_text import to_csv
from overopt.run.written.diagnoses import angled, diagnosed, ranked, searched
from overopt.run.written.folders import write_folder
from overopt.run.written.prompt_files import prompt_table
from overopt.run.written.seed_tables import SeedGroup
from overopt.run.written.stage_costs import stage_costs
from overopt.run.written.trajectories import TRAJECTORY, trajectory_rows
from overopt.run.written.unchanged import check_unchanged
from overopt.spec.columns import (
    ANGLE_COLUMNS,
    ANGLES_FILE,
    BUDGET_COLUMNS,
    COMPONENT_COLUMNS,
    COMPONENTS_FILE,
    CONTRAST_COLUMNS,
    DIAGNOSTIC_COLUMNS,
    DIAGNOSTICS_FILE,
    FLAW_COLUMNS,
    FRONT_COLUMNS,
    POINT_COLUMNS,
    PROMPTS_FILE,
    RANKING_COLUMNS,
    RANKINGS_FILE,
    TRAJECTORY_COLUMNS,
    WORLD_COLUMNS,
)
from overopt.spec.documents import RECORD_FORMAT
from overopt.spec.method import MethodSpec
from overopt.spec.run import RunSpec
from overopt.spec.system import ProxySystemSpec

_LOOKED_AT = {
    RANKINGS_FILE: (RANKING_COLUMNS, ranked),
    ANGLES_FILE: (ANGLE_COLUMNS, angled),
    COMPONENTS_FILE: (COMPONENT_COLUMNS, searched),
}
"""Tables of what is made beside the points: their columns, and what reads their rows."""
_LABELS = ("labels", "joined", "routed_labels", "attacked_labels")
"""Stages that write preference data."""


def write_runs(
    run: RunSpec,
    found: Sequence[Found],
    store: Store,
    out: Path,
    *,
    arguments: Sequence[str],
    groups: Mapping[str, Sequence[SeedGroup]],
    fronts: Mapping[int, Node],
    failures: Sequence[Failure],
    workers: int,
    wall_s: float,
) -> list[Path]:
    """Write one run folder for each method of the run; returns the folders.

    A run's identity is what was asked for and what came of it, not how: the same command with
    more workers, from another place or on another day finds its folder and leaves it alone.

    Args:
        run: what was asked for.
        found: what became of every cell.
        groups: what each method's seeds did prompt by prompt (see ``run.prompt_tables``).
        fronts: the oracle front of each world; without those that failed.
        failures: what failed besides cells.
        arguments, workers, wall_s: how it ran, for the record.

    Raises:
        UserError: the folder cannot be written, or exists with other content.
    """
    folders = []
    for method in run.methods:
        asked = run.of(method)
        mine = [cell for cell in found if cell.cell.method == method]
        files = _files(asked, mine, store, groups[method.name], fronts)
        record = _record(asked, method, mine, store, failures)
        run_id = f"{run.along_of(method)}-{_digest(record['spec_sha256'], files)[:10]}"
        folder = out / run.task.name / method.name / run_id
        folders.append(folder)
        prompts = prompt_table([one.points.key if one.points else None for one in mine], store)
        files |= _beside(asked, mine, store)
        results = [made for one in mine for made in (one.points, *one.beside) if made is not None]
        if (folder / "run.json").is_file():
            check_unchanged(folder, files, prompts)
            continue
        record.update(
            run_id=run_id,
            arguments=list(arguments),
            workers=workers,
            wall_s=round(wall_s, 3),
            stages=stage_costs(results, store),
            **circumstances(method, *asked.proxies),
        )
        files["run.json"] = json.dumps(record, indent=1, sort_keys=True, allow_nan=False) + "\n"
        whole: dict[str, str | bytes] = {**files, **({PROMPTS_FILE: prompts} if prompts else {})}
        write_folder(folder, whole)
    return folders


def _digest(spec_sha256: str, files: Mapping[str, str]) -> str:
    digest = hashlib.sha256(spec_sha256.encode())
    for name in sorted(files):
        digest.update(b"\0" + name.encode() + b"\0" + files[name].encode())
    return digest.hexdigest()


def _files(
    run: RunSpec,
    found: Sequence[Found],
    store: Store,
    groups: Sequence[SeedGroup],
    fronts: Mapping[int, Node],
) -> dict[str, str]:
    """The files whose content is a function of specs and seeds only."""
    excerpts: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    for one in found:
        identity = _identity(run, one)
        if one.points is None:
            points.append({**identity, "status": "failed"})
            continue
        folder = store.open(one.points.key)
        assert folder is not None, "a finished cell's points are in the store"
        mine = json.loads((folder / "points.json").read_text())
        points += [{**identity, **point} for point in mine]
        if one.cell.seed == run.seeds[0]:
            known = {key: identity[key] for key in ("world", "seed", "proxy", "noise")}
            shown = json.loads((folder / "excerpts.json").read_text())
            excerpts += [{**excerpt, **known} for excerpt in shown]
    files = {
        "points.csv": to_csv((*POINT_COLUMNS, *(FLAW_COLUMNS if run.flaws else ())), points),
        "excerpts.json": json.dumps(excerpts, indent=1, sort_keys=True, allow_nan=False) + "\n",
    }
    for name, columns, rows in (
        ("contrasts.csv", CONTRAST_COLUMNS, contrast_rows(groups)),
        ("budgets.csv", BUDGET_COLUMNS, budget_rows(groups, bool(run.kl_grid_nats))),
        ("worlds.csv", WORLD_COLUMNS, world_rows(groups)),
    ):
        if rows:
            files[name] = to_csv(columns, rows)
    front = [
        row
        for world in run.worlds
        if world in fronts
        for row in _front(world, fronts[world], store)
    ]
    if front:
        files["front.csv"] = to_csv(FRONT_COLUMNS, front)
    return files


def _beside(run: RunSpec, found: Sequence[Found], store: Store) -> dict[str, str]:
    """Tables that are no part of a run's identity, since nothing of them is ranked.

    Training step by step, which a store may have lost, diagnostics of policies, and what else was
    looked at: how they rank pairs, angles between those that are merged, points of components.
    """
    steps: list[dict[str, Any]] = []
    diagnoses: list[dict[str, Any]] = []
    looked_at: dict[str, list[dict[str, Any]]] = {name: [] for name in _LOOKED_AT}
    for one in found:
        if one.points is None:
            continue
        identity, method = _identity(run, one), one.cell.method
        steps += trajectory_rows(
            _known(identity, TRAJECTORY_COLUMNS), one.points, method.name, method.knob.name, store
        )
        known = _known(identity, DIAGNOSTIC_COLUMNS)
        diagnoses += [{**known, **seen} for seen in diagnosed(one.points, one.beside, store)]
        for name, (columns, read) in _LOOKED_AT.items():
            known = _known(identity, columns)
            looked_at[name] += [{**known, **seen} for seen in read(one.beside, store)]
    tables = (
        (TRAJECTORY, TRAJECTORY_COLUMNS, steps),
        (DIAGNOSTICS_FILE, DIAGNOSTIC_COLUMNS, diagnoses),
        *((name, columns, looked_at[name]) for name, (columns, _) in _LOOKED_AT.items()),
    )
    return {name: to_csv(columns, rows) for name, columns, rows in tables if rows}


def _known(identity: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """What tells a cell from others, as far as a table has it."""
    return {name: identity[name] for name in columns if name in identity}


def _front(world: int, made: Node, store: Store) -> list[dict[str, Any]]:
    """The oracle front of one world, in the columns of ``front.csv``."""
    folder = store.open(made.key)
    assert folder is not None, "a finished front is in the store"
    points = json.loads((folder / "front.json").read_text())["points"]
    return [{"world": world} | {name: p[name] for name in FRONT_COLUMNS[1:]} for p in points]


def _identity(run: RunSpec, one: Found) -> dict[str, Any]:
    cell = one.cell
    flaw = cell.flaw
    known = {} if flaw is None else dict(zip(FLAW_COLUMNS, (flaw.name, flaw.dose), strict=True))
    return {
        **known,
        **cell.columns,
        "task": run.task.name,
        "gold": cell.gold.name,
        "method": cell.method.name,
        "engine": run.engine,
        "along": run.along_of(cell.method),
        "knob": cell.method.knob.name,
    }


def _record(
    run: RunSpec,
    method: MethodSpec,
    found: Sequence[Found],
    store: Store,
    others: Sequence[Failure],
) -> dict[str, Any]:
    """What was asked for, and what became of it."""
    asked = {
        "methods": (without_place(method),),
        "along": run.along if method.retrains else "step",
        "proxies": tuple(without_place(proxy) for proxy in run.proxies),
    }
    spec = run.model_copy(update=asked).to_json()
    failures: list[dict[str, Any]] = [
        {"cell": named(run, one), "stage": one.failure.title, "message": one.failure.message}
        for one in found
        if one.failure is not None
    ]
    failures += [{"cell": None, "stage": one.title, "message": one.message} for one in others]
    return {
        "format": RECORD_FORMAT,
        "status": "ok" if not failures else "partly failed",
        "spec": spec,
        "spec_sha256": hashlib.sha256(canonical_json(spec).encode()).hexdigest(),
        "standard": run.standard,
        "own_files": _own_files(method, *run.proxies),
        "uses_gold": run.gold_use(method),
        "artifacts": {named(run, one): one.points.key for one in found if one.points is not None},
        "failures": failures,
        "data": _data_quality(found, store),
    }


def named(run: RunSpec, one: Found) -> str:
    """A cell by its title and by what else tells it from others of the run."""
    proxy = one.cell.task.proxy
    parts = [one.cell.title]
    parts += [f"proxies from {proxy.start}"] if len(run.proxy_starts) > 1 else []
    parts += [f"width {one.cell.task.proxy_width}"] if len(run.proxy_widths) > 1 else []
    parts += [f"{proxy.comparisons} comparisons"] if len(run.comparisons) > 1 else []
    return ", ".join(parts)


def _own_files(*specs: MethodSpec | ProxySystemSpec) -> dict[str, str]:
    """Name and sha256 of every file of the user's own among the methods and proxy systems."""
    own = [Path(spec.source) for spec in specs if is_file(spec.source)]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in own}


def _data_quality(found: Sequence[Found], store: Store) -> list[dict[str, Any]]:
    """What the proxies of each world, noise, seed and system have learned from, and how well.

    The realized flip rate of the labels that they learn from, with those that their system bought
    or added, and the held-out accuracy and loss of the first member.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in found:
        if one.points is None:
            continue
        task = one.cell.task
        known = {
            "world": one.cell.world,
            "noise": one.cell.noise_label,
            "seed": one.cell.seed,
            "proxy_start": task.proxy.start,
            "proxy_width": task.proxy_width,
            "comparisons": task.proxy.comparisons,
            "proxy": one.cell.proxy.name,
        }
        row = rows.setdefault(tuple(known.values()), known)
        if task.rounds is not None:
            asked = _ancestors(one, ("pairs",))
            row["gold_labels"] = sum(int(made.params["comparisons"]) for made in asked)
        for made in _ancestors(one, (*_LABELS, "proxy")):  # inputs first, so that the last count
            folder = store.open(made.key)
            if folder is None:
                continue
            if made.name in _LABELS:
                row["realized_flip_rate"] = json.loads((folder / "labels.json").read_text())[
                    "realized_flip_rate"
                ]
            elif made.params["member"] == 0:
                training = json.loads((folder / "training.json").read_text())
                row["proxy_heldout_accuracy"] = training["heldout_accuracy"]
                row["proxy_heldout_loss_nats"] = training["heldout_loss_nats"]
    return [rows[key] for key in sorted(rows)]


def _ancestors(one: Found, stages: Sequence[str]) -> list[Node]:
    assert one.points is not None
    return [made for made in ancestry([one.points]) if made.name in stages]
