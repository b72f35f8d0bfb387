"""Energy that policies lose in their last layer on their own samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.scores import identifiers
from overopt.artifacts.tables import Table, read_json, write_table
from overopt.execution.contract import Progress
from overopt.models.inside.energy import response_energy
from overopt.models.policy import load_policy
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write the energy loss of every row of ``samples``, read by the policy that drew it.

    inputs: ``samples``, and the policies: ``initial``, or ``optimize``, whose snapshots drew them.
    """
    world = world_of(params)
    table = Table(inputs["samples"] / "samples.parquet")
    step_N = table.integers("step")
    folders = {0: inputs["initial"] / "model"} if "initial" in inputs else {}
    if "optimize" in inputs:
        snapshots = read_json(inputs["optimize"] / "optimize.json")["snapshots"]
        folders = {int(one["step"]): inputs["optimize"] / one["folder"] for one in snapshots}
    energy_N = np.full(len(step_N), np.nan)
    for done, (step, folder) in enumerate(folders.items()):
        progress(done / len(folders), f"step {step}")
        row_R = np.flatnonzero(step_N == step)
        prompts = world.heldout_prompts.take(table.integers("prompt_id")[row_R])
        responses = table.tokens("response").take(row_R)
        energy_N[row_R] = response_energy(load_policy(folder), prompts, responses)
    write_table(out / "energy.parquet", {**identifiers(table), "energy": energy_N})
