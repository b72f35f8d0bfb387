"""Moves a policy in a round after the first: from the initial policy, or on from the last one.

KL stays that from the initial policy, and what a policy has cost is counted over all rounds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.tables import read_json, write_json
from overopt.engines.walk.trajectory import Compute, Trajectory
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.spec.method import MethodSpec
from overopt.stages import optimize
from overopt.stages.trajectory import write_trajectory
from overopt.worlds.contract import world_of


def run(
    params: dict[str, Any],
    inputs: dict[str, Path],
    out: Path,
    progress: Progress,
    kept: Path | None = None,
) -> None:
    """As the stage ``optimize``, and the cost of ``before``, the run of the last round, on top.

    params: also ``start``: ``initial``; or ``last``, where the optimizer begins anew at the last
    policy of ``before``, and budgets below its KL are passed at the first step, unreached where no
    policy lies within their tolerance.
    """
    before = read_json(inputs["before"] / "optimize.json")
    if params["start"] == "initial":
        optimize.run(params, inputs, out, progress, kept)
    else:
        last = inputs["before"] / before["snapshots"][-1]["folder"]
        _go_on(params, inputs, last, out, progress)
    record = read_json(out / "optimize.json")
    for counted in (record, *record["snapshots"]):
        for name in Compute._fields:
            counted[name] += before[name]
    write_json(out / "optimize.json", record)


def _go_on(
    params: dict[str, Any], inputs: dict[str, Path], last: Path, out: Path, progress: Progress
) -> None:
    """A run of the native engine from another policy."""
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world = world_of(params)
    given = optimize.run_inputs(params, inputs, method, world, progress)
    given = replace(given, policy=load_policy(last))
    engine = load("engines", method.trains)
    trajectory: Trajectory = engine.optimize(method, params["settings"], given)
    write_trajectory(out, trajectory, world, given.policy, {})
