"""Opens the gold reward of a ``gold`` artifact; methods and proxies have no way to reach one."""

from __future__ import annotations

from pathlib import Path

from overopt.artifacts.tables import read_json
from overopt.execution.code.modules import load
from overopt.worlds.contract import Gold, World


def load_gold(folder: Path, world: World) -> Gold:
    """The gold that a ``gold`` artifact holds, by the reader of its kind in ``artifacts.golds``."""
    kind = str(read_json(folder / "gold.json")["kind"])
    gold: Gold = load("artifacts.golds", kind).open_gold(folder, world)
    return gold
