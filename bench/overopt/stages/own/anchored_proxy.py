"""A plain proxy beside the frozen responses that its scores are taken against."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.anchored_proxy import MEMBER, Anchored
from overopt.artifacts.normalization import write_normalization
from overopt.artifacts.opponents import copy_opponents
from overopt.artifacts.preferences import load_preferences
from overopt.execution.contract import Progress
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Copy the proxy and the responses, and normalize what the system makes of its scores.

    params: ``world``, ``system`` (ProxySystemSpec).
    """
    world = world_of(params)
    shutil.copytree(inputs["member"], out / MEMBER)
    copy_opponents(inputs["opponents"], out)
    anchored = Anchored(out, params["system"], inputs, world)
    heldout = load_preferences(inputs["labels"], world, "heldout").preferences
    progress(0.5, "scores of the initial policy's responses")
    score_2P = [
        anchored.score(heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)
    ]
    write_normalization(out, np.concatenate(score_2P))
    shutil.copyfile(inputs["member"] / "training.json", out / "training.json")
