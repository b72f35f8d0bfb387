"""The gold: the world's rule, a transformer trained on its labels, or a ready classifier.

Only stages may load a gold; methods and proxies have no way to reach one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.tables import write_json
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.spec.gold import GoldSpec
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Record the kind of gold, and make what it needs besides by its maker in ``stages.golds``."""
    spec = GoldSpec.model_validate(params["gold"])
    write_json(out / "gold.json", {"kind": spec.kind, "name": spec.name})
    if spec.kind != "rule":
        world = world_of(params)
        load("stages.golds", spec.kind).make(spec, world, params, inputs, out, progress)
