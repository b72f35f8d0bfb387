"""The members of a system merged into one reward model, which scores in their place."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.normalization import write_normalization
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.proxy import Member, open_own_reader
from overopt.artifacts.tables import write_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.members import OpenedMembers
from overopt.execution.contract import Progress
from overopt.models.folders import save_model
from overopt.models.rewards.reward import score
from overopt.models.weights import set_weights, weights_of
from overopt.proxies.contract.members import Weights
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World, world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Merge the weights of the inputs ``member.<m>``, and normalize the scores of the merged model.

    params: ``world``, ``proxy``, ``system`` (ProxySystemSpec).
    """
    world = world_of(params)
    system = ProxySystemSpec.model_validate(params["system"])
    opened = open_as(OpenedMembers, locate_own(system, inputs))
    folders = [inputs[f"member.{member}"] for member in range(system.members)]
    write_merged(opened.merge, folders, inputs["labels"], world, out, progress)


def write_merged(
    merge: Callable[[Sequence[Weights]], Weights],
    folders: Sequence[Path],
    labels: Path,
    world: World,
    out: Path,
    progress: Progress,
) -> None:
    """Merge the weights of proxies into one, whose scores are normalized by held-out pairs."""
    models = [Member(folder, world).model for folder in folders]
    merged = merge([weights_of(model) for model in models])
    model = models[0]
    set_weights(model, merged)
    save_model(model, out / "model", folders[0] / "model")
    if (folders[0] / "reader.json").is_file():
        shutil.copyfile(folders[0] / "reader.json", out / "reader.json")
    progress(0.5, "scores of the merged model")
    reading = open_own_reader(out, world)
    heldout = load_preferences(labels, world, "heldout").preferences
    score_2P = [
        score(model, *reading(heldout.prompts, side)) for side in (heldout.chosen, heldout.rejected)
    ]
    write_normalization(out, np.concatenate(score_2P))
    margin_P = score_2P[0] - score_2P[1]
    accuracy = float(((margin_P > 0) + 0.5 * (margin_P == 0)).mean())
    write_json(out / "training.json", {"members": len(models), "heldout_accuracy": accuracy})
