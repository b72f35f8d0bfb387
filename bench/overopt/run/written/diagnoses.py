"""Diagnostics of a cell's policies, as their stage left them."""

from __future__ import annotations

import json
from typing import Any

from overopt.execution.node import Node
from overopt.execution.store import Store

_FILE = "diagnostics.json"


def diagnosed(points: Node, store: Store) -> list[dict[str, Any]]:
    """A row per policy; none of a stage that diagnoses nothing, or of an earlier version."""
    folder = store.open(points.key)
    if folder is None or not (folder / _FILE).is_file():
        return []
    rows: list[dict[str, Any]] = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    return rows
