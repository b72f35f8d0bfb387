"""A control: a rule in place of a reward model, normalized as any reward model is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.control_proxy import GOLD, open_control
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.tables import write_json
from overopt.execution.contract import Progress
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write what the rule needs, and the mean and SD of its scores under the initial policy.

    params: ``world``, ``system`` (ProxySystemSpec), ``seed``. The input ``gold`` is there only for
    a rule that declares its use.
    """
    world = world_of(params)
    write_json(out / "control.json", {"seed": int(params["seed"])})
    if "gold" in inputs:
        shutil.copytree(inputs["gold"], out / GOLD)
    control = open_control(out, world, params["system"], inputs)
    heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    progress(0.5, "scores of the initial policy's responses")
    score_2P = np.stack(
        [control.raw(heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)]
    )
    sd = float(score_2P.std(ddof=1))
    write_json(
        out / "normalization.json", {"mean": float(score_2P.mean()), "sd": sd if sd > 0 else 1.0}
    )
    margin_P = score_2P[0] - score_2P[1]
    accuracy = float(np.mean((margin_P > 0) + 0.5 * (margin_P == 0)))
    write_json(out / "training.json", {"steps": 0, "tokens": 0, "heldout_accuracy": accuracy})
