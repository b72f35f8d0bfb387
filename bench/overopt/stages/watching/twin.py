"""A run of a method against gold itself: the twin on which an alarm is a false one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from overopt.artifacts.gold_reward import GoldReward
from overopt.artifacts.own_file import locate_own
from overopt.engines.walk.trajectory import Trajectory
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.spec.method import MethodSpec
from overopt.stages.optimize import run_inputs
from overopt.stages.trajectory import write_trajectory
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Optimize as ``stages.optimize`` does, with gold in the place of the proxy.

    params: as there, without ``system``. inputs: ``initial``; ``gold`` and ``pool``, which scales
    it. All randomness is that of the run whose twin it is.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world = world_of(params)
    reward = GoldReward(inputs["gold"], inputs["pool"], world)
    given = run_inputs(params, inputs, method, world, progress)
    given = replace(given, reward=reward, member_rewards=reward.members)
    trajectory: Trajectory = load("engines", method.trains).optimize(
        method, params["settings"], given
    )
    write_trajectory(out, trajectory, world, given.policy, {})
