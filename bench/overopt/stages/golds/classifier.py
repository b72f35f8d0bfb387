"""A gold that is a ready classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.golds.classifier import open_gold
from overopt.artifacts.tables import write_json
from overopt.execution.contract import Progress
from overopt.spec.gold import GoldSpec
from overopt.worlds.contract import World


def make(
    spec: GoldSpec,
    world: World,
    params: dict[str, Any],
    inputs: dict[str, Path],
    out: Path,
    progress: Progress,
) -> None:
    """Record where it comes from, and load it: a folder that cannot be loaded fails here."""
    assert spec.classifier is not None
    record = {
        "kind": spec.kind,
        "name": spec.name,
        "classifier": spec.classifier.model_dump(mode="json"),
    }
    write_json(out / "gold.json", record)
    open_gold(out, world)
