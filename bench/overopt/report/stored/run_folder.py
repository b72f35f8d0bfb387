"""One stored run: what was stored is what is shown, or the user is told why not.

A run folder holds ``run.json`` and ``points.csv``, and optionally ``excerpts.json``,
``contrasts.csv``, ``budgets.csv``, ``worlds.csv``, ``front.csv``, ``trajectory.csv``,
``diagnostics.csv``, ``rankings.csv``, ``angles.csv`` and ``component_points.csv``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overopt.errors import UserError
from overopt.report.stored import older
from overopt.report.stored.beside import read_beside
from overopt.report.stored.contrasts import read_budgets, read_contrasts, read_worlds
from overopt.report.stored.files import (
    numbers_of,
    read_json,
    read_optional_table,
    read_record,
    refuse,
)
from overopt.report.stored.levels import levels_of
from overopt.report.stored.points import read_points
from overopt.report.stored.run import Excerpt, Run
from overopt.spec.columns import (
    ANGLE_COLUMNS,
    ANGLES_FILE,
    COMPONENT_COLUMNS,
    COMPONENTS_FILE,
    DIAGNOSTIC_COLUMNS,
    DIAGNOSTICS_FILE,
    FRONT_COLUMNS,
    FRONT_ESTIMATORS,
    LATER_DIAGNOSTICS,
    RANKING_COLUMNS,
    RANKINGS_FILE,
    TRAJECTORY_COLUMNS,
)
from overopt.spec.documents import LARGEST_NUMBER

_UNRANKED = ("admission", "confirm", "grids", "noiseless", "stability")
"""Where runs lie that rank nobody: against the admission ledger's controls, on further seeds of
some methods, of papers' grids, whose sizes and settings are not the tasks' own, once more without
label noise, and on many seeds, to see how many diverge."""


def find_runs(run_dirs: Iterable[Path]) -> list[Path]:
    """Resolve each path to the run folders at or below it, in sorted order, each once.

    Raises:
        UserError: when a path does not exist or holds no run.
    """
    found: dict[Path, None] = {}
    for path in run_dirs:
        if not path.is_dir():
            raise UserError(
                f"{path} is not a folder; give a run folder such as "
                "results/TASK/METHOD/RUN_ID, or a folder above it."
            )
        inside = [path] if (path / "run.json").is_file() else []
        inside = inside or sorted(
            file.parent
            for file in path.rglob("run.json")
            if not any(part.startswith(".") for part in file.relative_to(path).parts)
        )  # hidden folders are drafts of runs that were being written
        if not inside:
            raise UserError(
                f"{path} holds no run: no run.json was found in it or below it; "
                "give the folder that `bench run` printed."
            )
        found.update((folder.resolve(), None) for folder in inside)
    if not found:
        raise UserError("no run folder was given; give at least one, such as results/TASK/METHOD.")
    return list(found)


def published(results: Path) -> list[Path]:
    """Folders with runs in a results folder, but for those that rank nobody."""
    inside = sorted(
        one
        for one in results.iterdir()
        if one.is_dir() and one.name not in _UNRANKED and any(one.rglob("run.json"))
    )
    return inside or [results]


def read_run(folder: Path) -> Run:
    """Read one run folder.

    Raises:
        UserError: when a required file is missing or any file is damaged.
    """
    record = read_record(folder / "run.json", "run it again")
    known = _known(record)
    return Run(
        folder=folder,
        record=record,
        points=read_points(folder / "points.csv", known).assign(
            **levels_of(record, str(folder / "run.json"))
        ),
        excerpts=_read_excerpts(folder / "excerpts.json", known),
        contrasts=_read_contrasts(folder / "contrasts.csv", known),
        budgets=read_budgets(folder / "budgets.csv", known),
        worlds=read_worlds(folder / "worlds.csv"),
        front=_read_front(folder / "front.csv", known),
        trajectory=read_beside(folder / "trajectory.csv", TRAJECTORY_COLUMNS),
        diagnostics=read_beside(folder / DIAGNOSTICS_FILE, DIAGNOSTIC_COLUMNS, LATER_DIAGNOSTICS),
        rankings=read_beside(folder / RANKINGS_FILE, RANKING_COLUMNS),
        angles=read_beside(folder / ANGLES_FILE, ANGLE_COLUMNS, text=("layer",)),
        components=read_beside(
            folder / COMPONENTS_FILE, COMPONENT_COLUMNS, text=("half", "kind", "weights")
        ),
    )


def _read_contrasts(path: Path, known: Mapping[str, str]) -> pd.DataFrame:
    """Peaks and ends in today's columns, whichever version wrote the file."""
    if older.is_older(path):
        return older.renew(path, known)
    return read_contrasts(path, known)


def _known(record: Mapping[str, Any]) -> dict[str, str]:
    """World and gold of a run whose tables do not name them, as far as its record does.

    Such runs are of earlier versions, in which a run had one world and listed none.
    """

    def read(*keys: str) -> Any:
        value: Any = record
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    if read("spec", "worlds") is not None:
        return {}
    known = {}
    world, gold = read("spec", "task", "world", "seed"), read("spec", "gold", "name")
    if isinstance(world, int) and not isinstance(world, bool):
        known["world"] = str(world)
    if isinstance(gold, str):
        known["gold"] = gold
    return known


def _read_front(path: Path, known: Mapping[str, str]) -> pd.DataFrame:
    """The oracle fronts, numbers as float64, sorted by world and KL.

    Those of earlier versions do not say what a point comes from: an effective sample size tells.
    """
    table = read_optional_table(path, FRONT_COLUMNS, {"gold_se": "", "estimator": "", **known})
    numbers = {
        name: numbers_of([str(text) for text in table[name]], name, str(path))
        for name in FRONT_COLUMNS
        if name != "estimator"
    }
    told = np.where(np.isnan(numbers["ess"]), "exact", "pool")
    estimators = [str(text) or guess for text, guess in zip(table["estimator"], told, strict=True)]
    for i, estimator in enumerate(estimators):
        if estimator not in FRONT_ESTIMATORS:
            allowed = ", ".join(FRONT_ESTIMATORS)
            refuse(str(path), i, f"has estimator = {estimator[:40]!r}", f"use one of: {allowed}")
    for name in ("world", "kl_nats", "gold"):
        for row in np.flatnonzero(np.isnan(numbers[name])):
            refuse(str(path), int(row), f"has no {name}", "every point of the front needs it")
    front = pd.DataFrame(numbers).assign(estimator=estimators)
    return front.sort_values(["world", "kl_nats"], ignore_index=True)


def _read_excerpts(path: Path, known: Mapping[str, str]) -> tuple[Excerpt, ...]:
    """Samples of the initial and the optimized policy, side by side."""
    if not path.is_file():
        return ()
    items = read_json(path)
    if not isinstance(items, list):
        raise UserError(f"{path} must hold a JSON list of excerpts; restore it or run it again.")
    if "world" in known:
        world = int(known["world"])
        items = [{"world": world} | item if isinstance(item, dict) else item for item in items]
    return tuple(_excerpt(item, f"{path}, excerpt {i}") for i, item in enumerate(items, start=1))


def _excerpt(item: Any, where: str) -> Excerpt:
    kinds: dict[str, tuple[type, ...]] = {
        name: (str,) for name in ("prompt", "initial", "hacked", "proxy", "noise")
    }
    kinds |= {name: (int, float) for name in Excerpt.__dataclass_fields__ if name not in kinds}
    if not isinstance(item, dict):
        raise UserError(f"{where} must be a JSON object; restore the file or run it again.")
    for name, kind in kinds.items():
        if name not in item:
            raise UserError(f"{where} lacks {name}; restore the file or run it again.")
        if not isinstance(item[name], kind) or isinstance(item[name], bool):
            wanted = "text" if kind == (str,) else "a number"
            raise UserError(f"{where} has {name} that is not {wanted}; restore it or run it again.")
        if kind != (str,) and abs(item[name]) > LARGEST_NUMBER:
            raise UserError(
                f"{where} has {name} beyond {LARGEST_NUMBER:g}; restore it or run it again."
            )
    return Excerpt(**{name: item[name] for name in kinds})
