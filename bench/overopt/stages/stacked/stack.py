"""Moves the policies of several cells with one method at once: the runs of a block of seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.tables import write_json
from overopt.engines.method.loading import open_as
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.stacked.pairs import optimize_stack
from overopt.execution.contract import Progress
from overopt.spec.method import MethodSpec
from overopt.spec.pairs import PairsSpec
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
    """Optimize every cell from the same initial policy, each on preference data of its own.

    params: those of ``stages.optimize`` with ``seeds`` in place of a seed, and ``width``. inputs:
    ``initial``, and ``labels.<i>`` of the i-th seed. Each cell's artifact lies in
    ``cells/<seed>``; where a cell failed, ``error.json`` says why.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world, seeds = world_of(params), [int(seed) for seed in params["seeds"]]
    given = [
        run_inputs(
            {**params, "seed": seed},
            {"initial": inputs["initial"], "labels": inputs[f"labels.{place}"]},
            method,
            world,
            progress,
        )
        for place, seed in enumerate(seeds)
    ]
    outcomes = optimize_stack(
        open_as(OpenedPairs, method),
        PairsSpec.model_validate(params["settings"]),
        given,
        int(params["width"]),
        kept=kept,
        progress=progress,
    )
    for seed, cell, found in zip(seeds, given, outcomes, strict=True):
        folder = out / "cells" / str(seed)
        folder.mkdir(parents=True)
        if found.error is not None:
            write_json(folder / "error.json", found.error)
        else:
            write_trajectory(folder, found.trajectory, world, cell.policy, {})
