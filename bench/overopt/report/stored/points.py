"""The table of points: every cell checked, every row fit for its status, and names for readers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overopt.errors import UserError
from overopt.report.stored.files import names_of, numbers_of, read_table, refuse, text_of
from overopt.report.stored.levels import short
from overopt.report.stored.records import records_of
from overopt.report.stored.schema import (
    CURVE,
    FORMER_ALONG,
    LABELS,
    LEVELS,
    MEASURED,
    REQUIRED_SEEDS,
    REQUIRED_TEXT,
)
from overopt.spec.columns import FLAW_COLUMNS, POINT_COLUMNS, STATUSES, TEXT


def read_points(path: Path, known: Mapping[str, str]) -> pd.DataFrame:
    """Read ``points.csv``: text columns as str, all others as float64 with NaN for missing.

    Args:
        path: the file.
        known: what the run's record says that rows of earlier versions do not.

    Raises:
        UserError: for a missing or unknown column, a bad number, or a row that breaks its status.
    """
    return check_points(read_table(path, known), str(path))


def check_points(raw: pd.DataFrame, where: str) -> pd.DataFrame:
    """Check a table of points and convert its columns.

    Args:
        raw: the columns of ``points.csv``; cells are text (empty = missing) or numbers.
        where: name of the source, for error messages.

    Raises:
        UserError: for a missing or unknown column, a bad number, or a row that breaks its status.
    """
    missing = [name for name in POINT_COLUMNS if name not in raw.columns]
    known = {*POINT_COLUMNS, *FLAW_COLUMNS, *LABELS}
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
        cells = raw[name].tolist()
        texts = [cell if type(cell) is str else text_of(cell) for cell in cells]
        read = names_of if name in TEXT else numbers_of
        columns[name] = read(texts, name, where)
    columns["along"] = [FORMER_ALONG.get(along, along) for along in columns["along"]]
    points = pd.DataFrame(columns, columns=list(POINT_COLUMNS))
    _check_rows(points, where)
    return points.assign(**{name: raw.get(name, "") for name in LEVELS})


def _check_rows(points: pd.DataFrame, where: str) -> None:
    """Refuse rows whose identity or measurements do not fit their status."""
    for name in REQUIRED_TEXT:
        for row in np.flatnonzero((points[name] == "").to_numpy()):
            refuse(where, int(row), f"has no {name}", "every row names its cell")
    for name in REQUIRED_SEEDS:
        for row in np.flatnonzero(points[name].isna().to_numpy()):
            refuse(where, int(row), f"has no {name}", "every row names its cell")
    for index, status in enumerate(points["status"].tolist()):
        if status not in STATUSES:
            refuse(
                where, index, f"has status {status[:40]!r}", f"allowed are {', '.join(STATUSES)}"
            )
    ok = (points["status"] == "ok").to_numpy()
    for name in CURVE:
        for row in np.flatnonzero(ok & points[name].isna().to_numpy()):
            refuse(where, int(row), f"is ok but has no {name}", "a measured point needs it")
    for row in np.flatnonzero(ok & (points["kl_estimator"] == "").to_numpy()):
        refuse(where, int(row), "is ok but names no kl_estimator", "a KL axis names its estimator")
    for name in MEASURED:
        for row in np.flatnonzero(~ok & points[name].notna().to_numpy()):
            status = points["status"].iloc[int(row)]
            refuse(where, int(row), f"is {status} but has {name}", "only ok rows are measured")
    unreached = (points["status"] == "unreached").to_numpy()
    for row in np.flatnonzero(unreached & points["kl_target_nats"].isna().to_numpy()):
        refuse(where, int(row), "is unreached but names no kl_target_nats", "it states the budget")


def add_labels(points: pd.DataFrame) -> pd.DataFrame:
    """Add ``task_label``, ``method_label`` and ``proxy_label``: names with what else differs.

    A task is named with its gold where there are several; what differs within one of these is
    named with the method or the proxy.

    Points without a ``version`` are all of the same one, and those without levels have none.
    """
    levels = {name: _texts(points, name) for name in LEVELS}
    labeled = points.assign(version=points.get("version", ""), **levels)
    labeled["task_label"] = label_tasks(labeled)
    labeled["method_label"] = _label(
        labeled, "method", {"method_level": "", "engine": "", "along": "along ", "version": ""}
    )
    labeled["proxy_label"] = _label(
        labeled,
        "proxy",
        {
            "proxy_start": "from ",
            "proxy_width": "width ",
            "comparisons": "pairs ",
            "proxy_level": "",
        },
    )
    return labeled


def _texts(points: pd.DataFrame, name: str) -> pd.Series[str]:
    """A column of texts, empty where one is missing."""
    if name not in points:
        return pd.Series("", index=points.index)
    return points[name].fillna("").astype(str)


def label_tasks(rows: pd.DataFrame) -> list[str]:
    """Names of the tasks of rows with columns task and gold: with the gold where it differs."""
    golds = rows.groupby("task")["gold"].transform("nunique")
    levels = rows["task_level"] if "task_level" in rows else [""] * len(rows)
    return [
        ", ".join(
            filter(None, (str(task), f"gold {gold}" if several > 1 else "", short(level, "")))
        )
        for task, gold, several, level in zip(
            rows["task"], rows["gold"], golds, levels, strict=True
        )
    ]


def _label(points: pd.DataFrame, name: str, extras: dict[str, str]) -> list[str]:
    """Names of a column, extended by those columns that tell rows of one name apart.

    A column whose values follow from those before it, as the width of proxies that start from the
    policy, tells nothing more.
    """
    varying: dict[str, list[str]] = {}
    for task, rows in points.groupby("task_label"):
        varying[str(task)] = []
        for extra in extras:
            known = [name, *varying[str(task)]]
            if rows.groupby(known, dropna=False)[extra].nunique(dropna=True).max() > 1:
                varying[str(task)].append(extra)
    labels = []
    for row in records_of(points[["task_label", name, *extras]]):
        parts = [str(row[name])]
        for extra in varying[str(row["task_label"])]:
            value = row[extra]
            if isinstance(value, float):
                parts += [] if math.isnan(value) else [f"{extras[extra]}{value:g}"]
            elif extra in LEVELS:
                parts += [short(str(value), str(row[name]))] if value else []
            else:
                parts += [f"{extras[extra]}{value}"] if value else []
        labels.append(", ".join(parts))
    return labels
