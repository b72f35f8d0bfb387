"""Strict reading of run folders: what was stored is what is shown, or the user is told why not.

A run folder holds ``run.json`` and ``points.csv``, and optionally ``excerpts.json``,
``contrasts.csv`` and ``front.csv``. An empty cell is a missing value; the texts ``nan`` and
``inf`` are errors. Numbers are read from text without any guessing, so that a noise label ``0``
stays a label.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from overopt.errors import UserError
from overopt.report.schema import (
    CELL,
    CONTRAST_FLAGS,
    CONTRAST_NUMBERS,
    CONTRAST_TEXT,
    CURVE,
    LABELS,
    MEASURED,
    REQUIRED_TEXT,
    WHOLE,
)
from overopt.schema import POINT_COLUMNS, STATUSES, TEXT


@dataclass(frozen=True)
class Excerpt:
    """One prompt answered by the initial policy and by an optimised one, with both scores.

    Scores are in SDs of the initial policy (gold) and recentred to its mean (proxy).
    """

    prompt: str
    initial: str
    hacked: str
    gold_initial: float
    gold_hacked: float
    proxy_initial: float
    proxy_hacked: float
    seed: int
    proxy: str
    noise: str
    kl_nats: float


@dataclass(frozen=True)
class Run:
    """One stored run.

    points: one row per point, columns ``schema.POINT_COLUMNS``.
    contrasts: rise and fall tests, one row per proxy and noise; empty when none were stored.
    front: oracle front, columns kl_nats, gold (SDs of the initial policy), ess; may be empty.
    """

    folder: Path
    record: dict[str, Any]
    points: pd.DataFrame
    excerpts: tuple[Excerpt, ...]
    contrasts: pd.DataFrame
    front: pd.DataFrame

    @property
    def name(self) -> str:
        """``task/method/run_id``, the last three parts of the folder."""
        return "/".join(self.folder.parts[-3:])


@dataclass(frozen=True)
class Results:
    """Several runs read together.

    points: all rows, with the columns ``run``, ``method_label`` and ``proxy_label`` added; the
    labels name the engine, the axis, the width or the data size only where these differ.
    """

    runs: tuple[Run, ...]
    points: pd.DataFrame

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, sorted."""
        return sorted(set(self.points["task"]))

    def front(self, task: str) -> pd.DataFrame:
        """The oracle front of a task: columns kl_nats, gold, ess; empty when none was stored.

        All runs of a task share its world and so its front; where several were stored, the one
        with the most points is used.
        """
        fronts = [run.front for run in self.runs if task in set(run.points["task"])]
        return max(fronts, key=len) if fronts else _empty(("kl_nats", "gold", "ess"))


def read_results(run_dirs: Iterable[Path]) -> Results:
    """Read run folders, or every run below parent folders, and merge their points.

    Raises:
        UserError: when no run is found, a file is damaged, or two runs disagree about one cell.
    """
    runs = tuple(read_run(folder) for folder in find_runs(run_dirs))
    frames = [run.points.assign(run=run.name) for run in runs]
    merged = pd.concat(frames, ignore_index=True)
    _refuse_conflicts(merged)
    merged = merged.drop_duplicates(subset=list(POINT_COLUMNS), ignore_index=True)
    return Results(runs=runs, points=add_labels(merged))


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


def read_run(folder: Path) -> Run:
    """Read one run folder.

    Raises:
        UserError: when a required file is missing or any file is damaged.
    """
    record = _read_json(folder / "run.json")
    if not isinstance(record, dict):
        raise UserError(f"{folder / 'run.json'} must hold one JSON object with the run's record.")
    return Run(
        folder=folder,
        record=record,
        points=read_points(folder / "points.csv"),
        excerpts=_read_excerpts(folder / "excerpts.json"),
        contrasts=_read_contrasts(folder / "contrasts.csv"),
        front=_read_front(folder / "front.csv"),
    )


def read_points(path: Path) -> pd.DataFrame:
    """Read ``points.csv``: text columns as str, all others as float64 with NaN for missing.

    Raises:
        UserError: for a missing or unknown column, a bad number, or a row that breaks its status.
    """
    return check_points(_read_text(path), str(path))


def check_points(raw: pd.DataFrame, where: str) -> pd.DataFrame:
    """Check a table of points and convert its columns.

    Args:
        raw: the columns of ``points.csv``; cells are text (empty = missing) or numbers.
        where: name of the source, for error messages.

    Raises:
        UserError: for a missing or unknown column, a bad number, or a row that breaks its status.
    """
    missing = [name for name in POINT_COLUMNS if name not in raw.columns]
    known = {*POINT_COLUMNS, *LABELS}
    unknown = [str(name) for name in raw.columns if name not in known]
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has the unknown {', '.join(unknown)}"] if unknown else []
        raise UserError(
            f"{where} {' and '.join(parts)}; its columns must be exactly those of points.csv "
            "as this version writes them, so run it again or report with the version that wrote it."
        )
    if raw.empty:
        raise UserError(f"{where} holds no points; the run has stored nothing to report yet.")
    columns: dict[str, Any] = {}
    for name in POINT_COLUMNS:
        texts = [_text(value) for value in raw[name].tolist()]
        columns[name] = texts if name in TEXT else _numbers(texts, name, where)
    points = pd.DataFrame(columns, columns=list(POINT_COLUMNS))
    _check_rows(points, where)
    return points


def add_labels(points: pd.DataFrame) -> pd.DataFrame:
    """Add ``method_label`` and ``proxy_label``: names with what else differs within the task."""
    labelled = points.copy()
    labelled["method_label"] = _label(points, "method", {"engine": "", "along": "along "})
    labelled["proxy_label"] = _label(
        points, "proxy", {"proxy_width": "width ", "comparisons": "pairs "}
    )
    return labelled


def _label(points: pd.DataFrame, name: str, extras: dict[str, str]) -> list[str]:
    """Names of a column, extended by those columns that take several values in the task."""
    varying: dict[str, list[str]] = {}
    for task, rows in points.groupby("task"):
        varying[str(task)] = [
            extra for extra in extras if rows.groupby(name)[extra].nunique(dropna=True).max() > 1
        ]
    labels = []
    for row in points.to_dict("records"):
        parts = [str(row[name])]
        for extra in varying[str(row["task"])]:
            value = row[extra]
            if isinstance(value, float):
                parts += [] if math.isnan(value) else [f"{extras[extra]}{value:g}"]
            else:
                parts += [f"{extras[extra]}{value}"] if value else []
        labels.append(", ".join(parts))
    return labels


def _refuse_conflicts(points: pd.DataFrame) -> None:
    """Refuse two runs that store the same cell with different rows."""
    for cell, rows in points.groupby(list(CELL), dropna=False):
        by_run = {
            str(run): group[list(POINT_COLUMNS)].reset_index(drop=True)
            for run, group in rows.groupby("run")
        }
        names = list(by_run)
        for name in names[1:]:
            if not by_run[names[0]].equals(by_run[name]):
                described = ", ".join(
                    f"{key} {value}" for key, value in zip(CELL, cell, strict=True)
                )
                raise UserError(
                    f"{names[0]} and {name} both hold the cell ({described}) with different "
                    "points; report them one at a time, or give only the run that should count."
                )


def _check_rows(points: pd.DataFrame, where: str) -> None:
    """Refuse rows whose identity or measurements do not fit their status."""
    for name in REQUIRED_TEXT:
        for row in np.flatnonzero((points[name] == "").to_numpy()):
            _refuse(where, int(row), f"has no {name}", "every row names its cell")
    for row in np.flatnonzero(points["seed"].isna().to_numpy()):
        _refuse(where, int(row), "has no seed", "every row names its cell")
    for index, status in enumerate(points["status"].tolist()):
        if status not in STATUSES:
            _refuse(where, index, f"has status {status!r}", f"allowed are {', '.join(STATUSES)}")
    ok = (points["status"] == "ok").to_numpy()
    for name in CURVE:
        for row in np.flatnonzero(ok & points[name].isna().to_numpy()):
            _refuse(where, int(row), f"is ok but has no {name}", "a measured point needs it")
    for row in np.flatnonzero(ok & (points["kl_estimator"] == "").to_numpy()):
        _refuse(where, int(row), "is ok but names no kl_estimator", "a KL axis names its estimator")
    for name in MEASURED:
        for row in np.flatnonzero(~ok & points[name].notna().to_numpy()):
            status = points["status"].iloc[int(row)]
            _refuse(where, int(row), f"is {status} but has {name}", "only ok rows are measured")
    unreached = (points["status"] == "unreached").to_numpy()
    for row in np.flatnonzero(unreached & points["kl_target_nats"].isna().to_numpy()):
        _refuse(where, int(row), "is unreached but names no kl_target_nats", "it states the budget")


def _refuse(where: str, row: int, what: str, rule: str) -> NoReturn:
    raise UserError(f"{where}, data row {row + 1} {what}; {rule}.")


def _text(value: Any) -> str:
    """A cell as text: empty for None and NaN objects of a frame, digits of a number otherwise."""
    if value is None or value is pd.NA:
        return ""
    if isinstance(value, float | np.floating):
        return "" if math.isnan(float(value)) else repr(float(value))
    return str(value)


def _numbers(texts: list[str], name: str, where: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Cells as float64 with NaN for an empty cell; anything that is not a finite number refused."""
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        if not text.strip():
            continue
        try:
            value = float(text)
        except ValueError:
            _refuse(where, row, f"has {name} = {text[:40]!r}", "it must be a number or empty")
        if not math.isfinite(value):
            _refuse(where, row, f"has {name} = {text}", "it must be a finite number or empty")
        if name in WHOLE and value != int(value):
            _refuse(where, row, f"has {name} = {text}", "it must be a whole number")
        values[row] = value
    return values


def _read_text(path: Path) -> pd.DataFrame:
    """A CSV file as text cells; ragged rows, repeated names and undecodable bytes refused."""
    if not path.is_file():
        raise UserError(f"{path} is missing; the run folder is incomplete, so run it again.")
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is damaged ({error}); restore it or run it again.") from error
    rows = [row for row in rows if row]
    if not rows:
        raise UserError(f"{path} is empty; restore it or run it again.")
    header, body = rows[0], rows[1:]
    if len(set(header)) != len(header):
        raise UserError(f"{path} repeats a column name; restore it or run it again.")
    for number, row in enumerate(body, start=1):
        if len(row) != len(header):
            raise UserError(
                f"{path}, data row {number} has {len(row)} cells where the header has "
                f"{len(header)}; the file is damaged, so restore it or run it again."
            )
    return pd.DataFrame(body, columns=header, dtype=object)


def _read_optional(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    """A CSV file of text cells that a run need not have."""
    if not path.is_file():
        return _empty(required)
    table = _read_text(path)
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}; restore it or run it again.")
    return table[list(required)]


def _read_contrasts(path: Path) -> pd.DataFrame:
    """Rise and fall tests: names as text, verdicts as bool, numbers as float64."""
    table = _read_optional(path, (*CONTRAST_TEXT, *CONTRAST_NUMBERS, *CONTRAST_FLAGS))
    columns: dict[str, Any] = {name: table[name].tolist() for name in CONTRAST_TEXT}
    for name in CONTRAST_NUMBERS:
        columns[name] = _numbers([str(text) for text in table[name]], name, str(path))
    for name in CONTRAST_FLAGS:
        for row, text in enumerate(table[name].tolist()):
            if text not in ("True", "False"):
                _refuse(str(path), row, f"has {name} = {text!r}", "it must be True or False")
        columns[name] = [text == "True" for text in table[name]]
    return pd.DataFrame(columns)


def _read_front(path: Path) -> pd.DataFrame:
    """The oracle front as float64, sorted by KL."""
    table = _read_optional(path, required=("kl_nats", "gold", "ess"))
    numbers = {
        name: _numbers([str(text) for text in table[name]], name, str(path))
        for name in ("kl_nats", "gold", "ess")
    }
    for name in ("kl_nats", "gold"):
        for row in np.flatnonzero(np.isnan(numbers[name])):
            _refuse(str(path), int(row), f"has no {name}", "every point of the front needs it")
    return pd.DataFrame(numbers).sort_values("kl_nats", ignore_index=True)


def _read_excerpts(path: Path) -> tuple[Excerpt, ...]:
    """Samples of the initial and the optimised policy, side by side."""
    if not path.is_file():
        return ()
    items = _read_json(path)
    if not isinstance(items, list):
        raise UserError(f"{path} must hold a JSON list of excerpts; restore it or run it again.")
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
    return Excerpt(**{name: item[name] for name in kinds})


def _read_json(path: Path) -> Any:
    """A JSON file; NaN, infinities and repeated keys are refused."""

    def refuse_constant(text: str) -> NoReturn:
        raise ValueError(f"it holds {text}, which is not a number")

    def refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            raise ValueError("it repeats a key")
        return dict(pairs)

    if not path.is_file():
        raise UserError(f"{path} is missing; the run folder is incomplete, so run it again.")
    try:
        return json.loads(
            path.read_text(encoding="utf-8"),
            parse_constant=refuse_constant,
            object_pairs_hook=refuse_repeats,
        )
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); restore it or run it again.") from error


def _empty(columns: Iterable[str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
