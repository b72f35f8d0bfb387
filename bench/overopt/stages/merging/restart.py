"""Merges the members of one iteration into the policy that the next one starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.tables import write_json
from overopt.engines.method.loading import open_as
from overopt.engines.method.merge import OpenedMerge
from overopt.execution.contract import Progress
from overopt.models.folders import save_model
from overopt.models.policy import load_policy
from overopt.models.weights import set_weights, weights_of
from overopt.spec.method import MethodSpec
from overopt.stages.merging.members import RESTART, load_members
from overopt.worlds.contract import lexicon, world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write a folder ``model``, as the initial policy has it, and what was spent until then.

    params: ``world``, ``method`` (MethodSpec), whose ``between`` says how much of the merged step
    is taken. inputs: ``initial``, ``optimize.<m>`` of every member, and ``start``, which they
    started from, where that is not the initial policy.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    opened = open_as(OpenedMerge, method)
    members = load_members(inputs, method.members)
    policy = load_policy(inputs.get("start", inputs["initial"]) / "model")
    set_weights(policy, opened.merge(weights_of(policy), members.weights, opened.between))
    save_model(policy, out / "model", lexicon(world_of(params)))
    write_json(out / RESTART, members.spent._asdict())
