"""What training has cost, as the stage that trained wrote it down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overopt.artifacts.tables import read_json
from overopt.engines.walk.trajectory import Compute

NOTHING = Compute(0, 0, 0)


def spent(record: Mapping[str, Any]) -> Compute:
    """The fields of ``Compute`` out of a record that has others as well."""
    return Compute(*(int(record[name]) for name in Compute._fields))


def spent_beside(inputs: Mapping[str, Path], role: str) -> Compute:
    """What a model that is trained beside the policy has cost; nothing where there is none.

    Args:
        inputs: of a stage.
        role: ``value`` or ``novelty``, whose artifact has a record of that name.
    """
    return spent(read_json(inputs[role] / f"{role}.json")) if role in inputs else NOTHING
