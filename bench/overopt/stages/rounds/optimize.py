"""Moves a policy in a round after the first: from the initial policy, the last, or between them.

KL stays that from the initial policy, and what a policy has cost is counted over all rounds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.tables import read_json, write_json
from overopt.engines.walk.trajectory import Compute, Trajectory
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.models.weights import set_weights, weights_of
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

    params: also ``start``: ``initial``; ``last``, where the optimizer begins anew at the last
    policy of ``before``; or ``liti``, where it does at (1 - ``share``) times the initial policy's
    weights plus ``share`` times the last one's. Budgets below the KL of the start are passed at the
    first step, unreached where no policy lies within their tolerance. With ``earlier`` the reward
    is that of the mean over so many rounds before, ``round.<j>.proxy.<m>``, and this one.
    """
    before = read_json(inputs["before"] / "optimize.json")
    if params["start"] == "initial" and "earlier" not in params:
        optimize.run(params, inputs, out, progress, kept)
    else:
        last = inputs["before"] / before["snapshots"][-1]["folder"]
        _run_natively(params, inputs, last, out, progress)
    record = read_json(out / "optimize.json")
    for counted in (record, *record["snapshots"]):
        for name in Compute._fields:
            counted[name] += before[name]
    write_json(out / "optimize.json", record)


def _run_natively(
    params: dict[str, Any], inputs: dict[str, Path], last: Path, out: Path, progress: Progress
) -> None:
    """A run of the native engine from another policy, or against several rounds' proxies."""
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world = world_of(params)
    given = optimize.run_inputs(params, inputs, method, world, progress)
    if params["start"] == "last":
        given = replace(given, policy=load_policy(last))
    elif params["start"] == "liti":
        interpolate(given.policy, load_policy(last), float(params["share"]))
    if "earlier" in params:
        several = load("artifacts", "rounds.reward").over_rounds
        given = several(given, inputs, params, world)
    engine = load("engines", method.trains)
    trajectory: Trajectory = engine.optimize(method, params["settings"], given)
    write_trajectory(out, trajectory, world, given.policy, {})


def interpolate(policy: PreTrainedModel, last: PreTrainedModel, share: float) -> None:
    """Move a policy's weights toward another's: (1 - share) of its own, share of the other's.

    Linear interpolation toward initialization, LITI, with share in place of the paper's eta.

    Reference:
        WARP: On the Benefits of Weight Averaged Rewarded Policies, section 3,
        https://arxiv.org/abs/2406.16768
    """
    own, other = weights_of(policy), weights_of(last)
    set_weights(
        policy, {name: (1.0 - share) * one + share * other[name] for name, one in own.items()}
    )
