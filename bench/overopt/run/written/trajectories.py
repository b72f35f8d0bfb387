"""What runs saw step by step, copied from their artifacts into the table of a run folder."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from overopt.execution.node import Node
from overopt.execution.store import Store
from overopt.spec.columns import TRAJECTORY_QUANTITIES

TRAJECTORY = "trajectory.csv"
_DIGITS = 6
"""Significant digits: these rows are for looking at; artifacts keep all of them."""


def trajectory_rows(
    known: Mapping[str, Any], points: Node, method: str, knob: str, store: Store
) -> list[dict[str, Any]]:
    """A row per training run of a cell and step, in ``TRAJECTORY_COLUMNS``.

    Runs whose artifact is no longer in the store are left out, and methods that train nothing have
    none.

    Args:
        known: what tells the cell from others.
        points: its points.
        method: the cell's method. knob: the name of its knob.
        store: where the runs lie.
    """
    rows: list[dict[str, Any]] = []
    for made in _trained(points):
        folder = store.open(made.key)
        if folder is None or not (folder / TRAJECTORY).is_file():
            continue
        trained = made.params["method"]
        mine = trained["name"] == method
        run = {
            **known,
            "member": made.params.get("member"),
            "knob_value": trained["config"].get(knob) if mine else None,
        }
        rows += [{**run, **seen} for seen in _read(folder / TRAJECTORY)]
    return rows


def _trained(points: Node) -> list[Node]:
    """The training runs whose policies were measured, each once; not those behind a proxy."""
    runs: dict[str, Node] = {}
    for role, evaluation in points.inputs:
        if role.partition(".")[0] != "evaluate":
            continue
        for given, policies in evaluation.inputs:
            if given == "optimize":
                runs.update((made.key, made) for made in _runs(policies))
    return list(runs.values())


def _runs(policies: Node) -> Iterator[Node]:
    """A training run itself, or those whose policies are merged, in all iterations, or composed."""
    if policies.name == "optimize":
        yield policies
        return
    for role, made in policies.inputs:
        if role == "start":
            yield from _runs(made)
        elif role.partition(".")[0] == "optimize":
            yield made


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            yield {
                name: int(row[name]) if name == "step" else _number(row[name])
                for name in ("step", *TRAJECTORY_QUANTITIES)
                if row.get(name)
            }


def _number(text: str) -> float | None:
    """A number with few digits; a run that failed may have ended in one that is not finite."""
    value = float(text)
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
