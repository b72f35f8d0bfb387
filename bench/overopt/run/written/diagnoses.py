"""Diagnostics of a cell's policies, as their stages left them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from overopt.execution.node import Node
from overopt.execution.store import Store

_FILE, _RANKINGS, _ANGLES = "diagnostics.json", "rankings.json", "angles.json"
_COMPONENTS = "component_points.json"
_LOOKS = ("separation.json", "scores.json", "forward.json", "calibration.json")


def diagnosed(points: Node, beside: Iterable[Node], store: Store) -> list[dict[str, Any]]:
    """A row per policy; none of a stage that diagnoses nothing, or of an earlier version.

    What was looked at beside the points of one run joins its rows by the step.
    """
    rows = _rows(points, _FILE, store)
    for made in beside:
        for name in _LOOKS:
            seen = {look["step"]: look for look in _rows(made, name, store)}
            rows = [{**row, **seen.get(row["step"], {})} for row in rows]
    return rows


def ranked(beside: Iterable[Node], store: Store) -> list[dict[str, Any]]:
    """A row per policy of how it ranks pairs, out of what was made beside a cell's points."""
    return [row for made in beside for row in _rows(made, _RANKINGS, store)]


def angled(beside: Iterable[Node], store: Store) -> list[dict[str, Any]]:
    """A row per pair of merged policies and layer, out of what was made beside a cell's points."""
    return [row for made in beside for row in _rows(made, _ANGLES, store)]


def searched(beside: Iterable[Node], store: Store) -> list[dict[str, Any]]:
    """A row per search over components, out of what was made beside a cell's points."""
    return [row for made in beside for row in _rows(made, _COMPONENTS, store)]


def _rows(made: Node, name: str, store: Store) -> list[dict[str, Any]]:
    folder = store.open(made.key)
    if folder is None or not (folder / name).is_file():
        return []
    rows: list[dict[str, Any]] = json.loads((folder / name).read_text(encoding="utf-8"))
    return rows
