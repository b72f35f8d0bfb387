"""Angles between the task vectors of policies that are merged: looked at, and never optimized."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.tables import write_json
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.models.weights import weights_of
from overopt.spec.columns import ALL_WEIGHTS
from overopt.stages.merging.members import load_members
from overopt.stats.diagnostics.angles import angle_degrees

ANGLES = "angles.json"


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write a row for every two members and every layer, and one for all weights of both.

    A task vector is what training has added to the weights. A layer is a parameter by name; where
    one of the two has not moved in it there is no angle.

    params: ``members``. inputs: ``initial``, ``optimize.<m>``, and ``start``, which they started
    from, where that is not the initial policy.
    """
    start = weights_of(load_policy(inputs.get("start", inputs["initial"]) / "model"))
    members = load_members(inputs, int(params["members"])).weights
    vectors = [
        {name: (member[name] - begun).double().numpy() for name, begun in start.items()}
        for member in members
    ]
    rows: list[dict[str, Any]] = []
    for first, second in combinations(range(len(vectors)), 2):
        sides = vectors[first], vectors[second]
        pairs = {name: (sides[0][name], sides[1][name]) for name in start}
        whole = [np.concatenate([side[name].ravel() for name in start]) for side in sides]
        pairs[ALL_WEIGHTS] = whole[0], whole[1]
        for layer, (one, other) in pairs.items():
            rows.append(
                {
                    "first": first,
                    "second": second,
                    "layer": layer,
                    "weights": one.size,
                    "angle_degrees": angle_degrees(one, other),
                }
            )
    write_json(out / ANGLES, rows)
