"""Moves a policy on from where the round before left it; KL stays that from the initial policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.tables import read_json
from overopt.engines.walk.trajectory import Trajectory
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.spec.method import MethodSpec
from overopt.stages.optimize import run_inputs
from overopt.stages.trajectory import write_trajectory
from overopt.worlds.contract import world_of


def run(
    params: dict[str, Any],
    inputs: dict[str, Path],
    out: Path,
    progress: Progress,
    kept: Path | None = None,
) -> None:
    """As the stage ``optimize``, from the last policy of ``start``; the optimizer begins anew.

    Budgets below the KL at which the run starts are passed at its first step, and are unreached
    where no policy lies within their tolerance.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world = world_of(params)
    given = run_inputs(params, inputs, method, world, progress)
    trained = read_json(inputs["start"] / "optimize.json")["snapshots"][-1]
    given = replace(given, policy=load_policy(inputs["start"] / trained["folder"]))
    engine = load("engines", method.trains)
    trajectory: Trajectory = engine.optimize(method, params["settings"], given)
    write_trajectory(out, trajectory, world, given.policy, {})
