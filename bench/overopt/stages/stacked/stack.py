"""Moves the policies of several cells with one method at once: the runs of a block of seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.tables import write_json
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
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
    """Optimize every cell from the same initial policy, each with data or proxies of its own.

    params: those of ``stages.optimize`` with ``seeds`` in place of a seed, and ``width``. inputs:
    ``initial``, and ``<role>.<i>`` of the i-th seed for every further role of a run alone. Each
    cell's artifact lies in ``cells/<seed>``; where a cell failed, ``error.json`` says why.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world, seeds = world_of(params), [int(seed) for seed in params["seeds"]]
    given = [
        run_inputs({**params, "seed": seed}, of_place(inputs, place), method, world, progress)
        for place, seed in enumerate(seeds)
    ]
    if "system" in params:
        with_models = load("artifacts", "stacked_reward").with_models
        given = [
            with_models(cell, of_place(inputs, place), params["system"], world)
            for place, cell in enumerate(given)
        ]
    engine = load("engines.stacked", method.trains)
    outcomes = engine.optimize(
        method, params["settings"], given, int(params["width"]), kept, progress
    )
    for seed, cell, found in zip(seeds, given, outcomes, strict=True):
        folder = out / "cells" / str(seed)
        folder.mkdir(parents=True)
        if found.error is not None:
            write_json(folder / "error.json", found.error)
        else:
            write_trajectory(folder, found.trajectory, world, cell.policy, {})


def of_place(inputs: dict[str, Path], place: int) -> dict[str, Path]:
    """The inputs of a cell by their roles in a run alone: its own, and those that all share."""
    own = {}
    for role, path in inputs.items():
        name, _, number = role.rpartition(".")
        if not number.isdigit():  # a file of the user's own has its name as its role
            own[role] = path
        elif int(number) == place:
            own[name] = path
    return own
