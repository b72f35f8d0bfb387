"""Whether a run's policies are as sure of the better response as they are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import read_json, write_json
from overopt.execution.contract import Progress
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.stats.diagnostics.choices import choice_calibration
from overopt.worlds.contract import world_of

CALIBRATION = "calibration.json"


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write a row for the initial policy, and one for each snapshot of ``optimize``.

    params: ``pairs``, held out, that are read from the first on. inputs: ``initial``,
    ``optimize``, and ``labels``, whose held-out pairs gold labels without noise.
    """
    world = world_of(params)
    heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    pairs = heldout.take(np.arange(min(int(params["pairs"]), heldout.prompts.rows())))

    def row(step: int, policy: PreTrainedModel) -> dict[str, Any]:
        better_P, worse_P = (
            score_logps(policy, pairs.prompts, responses).sum(axis=1, dtype=np.float64)
            for responses in (pairs.chosen, pairs.rejected)
        )
        return {"step": step, "choice_error": choice_calibration(better_P - worse_P)}

    rows = [row(0, load_policy(inputs["initial"] / "model"))]
    snapshots = read_json(inputs["optimize"] / "optimize.json")["snapshots"]
    for done, snapshot in enumerate(snapshots):
        progress(done / len(snapshots), f"step {snapshot['step']}")
        policy = load_policy(inputs["optimize"] / snapshot["folder"])
        rows.append(row(int(snapshot["step"]), policy))
    write_json(out / CALIBRATION, rows)
