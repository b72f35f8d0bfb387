"""The run of a method behind the walls: the native engine, on what the parcel holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from overopt.artifacts.own_file import locate_own
from overopt.engines.walk.trajectory import Trajectory
from overopt.execution.code.modules import load
from overopt.leaderboard.sandbox.delivery import Sender
from overopt.leaderboard.sandbox.parcel import unpack
from overopt.spec.method import MethodSpec
from overopt.stages.optimize import run_inputs
from overopt.stages.trajectory import write_record

PARCEL = "/in"
ENTRY = "overopt.leaderboard.sandbox.training:train"
RECORD = "optimize.json"


def train(arguments: dict[str, Any], sender: Sender) -> None:
    """Optimize as the stage ``optimize`` does, and hand over weights and a record.

    Args:
        arguments: ``params`` of the stage as the parcel tells them, and ``roles`` of its inputs.
        sender: takes progress, the weights of each snapshot, and the record.
    """
    torch.set_num_threads(1)
    parcel, params = Path(arguments["parcel"]), arguments["params"]
    inputs = {role: parcel / role for role in arguments["roles"]}
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)

    def progress(fraction: float, text: str) -> None:
        sender.send("progress", fraction=fraction, text=text[:200])

    given = run_inputs(params, inputs, method, unpack(parcel), progress)
    trajectory: Trajectory = load("engines", method.trains).optimize(
        method, params["settings"], given
    )
    for snapshot in trajectory.snapshots:
        weights = {name: one.clone().contiguous() for name, one in snapshot.state.items()}
        sender.send("file", save(weights), name=f"step_{snapshot.step:06d}.safetensors")
    place = Path(arguments["scratch"])
    write_record(place, trajectory, {})
    sender.send("file", (place / RECORD).read_bytes(), name=RECORD)
