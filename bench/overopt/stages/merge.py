"""Merges trained policies along the knob of a method, and keeps those that meet the KL budgets.

What it writes is read like the artifact of ``optimize``: the policies differ by the knob's value
and not by training, and are numbered by rising KL in place of their step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from overopt.artifacts.own_file import locate_own
from overopt.engines.method.loading import open_as
from overopt.engines.method.merge import OpenedMerge
from overopt.engines.walk.kl_walk import EARLY_FRACTIONS
from overopt.engines.walk.placing import Place, place, with_the_end
from overopt.engines.walk.trajectory import Compute, Snapshot, Trajectory
from overopt.execution.contract import Progress
from overopt.methods.contract.training import Weights
from overopt.models.policy import load_policy
from overopt.models.weights import set_weights, weights_of
from overopt.spec.method import MethodSpec
from overopt.stages.merging.members import load_members
from overopt.stages.trajectory import build_probe, write_trajectory
from overopt.worlds.contract import world_of

_LOG_KNOB_TOLERANCE = 0.01
"""sqrt(KL) grows about linearly in eta, so that a budget is met to about 2 % of its KL."""


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Place the merged policies on the budgets by the cheap KL estimate, and write their folders.

    params: ``world``, ``method`` (MethodSpec), ``kl_grid_nats``, ``seed``. inputs: ``initial`` and
    ``optimize.<m>`` of every member, whose last policy is merged; ``start``, which they started
    from, where that is not the initial policy. Where members end at given steps, the merged policy
    itself is kept too, whatever its KL.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    opened = open_as(OpenedMerge, method)
    world = world_of(params)
    reference = load_policy(inputs["initial"] / "model")
    policy = load_policy(inputs["initial"] / "model")
    members = load_members(inputs, method.members)
    at = _along_knob(opened, weights_of(reference), members.weights, inputs.get("start"))
    probe = build_probe(world, int(params["seed"]))
    budgets = [float(kl_nats) for kl_nats in params["kl_grid_nats"]]

    def merged_at(knob_value: float) -> PreTrainedModel:
        set_weights(policy, at(knob_value))
        return policy

    def kl_of(knob_value: float) -> float:
        progress(0.5, f"{method.knob.name} {knob_value:.3g}")
        return probe(merged_at(knob_value), reference)

    early = [fraction * fraction * budgets[0] for fraction in EARLY_FRACTIONS]
    places = place(kl_of, method.knob, budgets, early, _LOG_KNOB_TOLERANCE)
    if method.member_steps is not None:
        places = with_the_end(places, method.knob.high)
    spent = members.spent
    snapshots, knob_of_step = _snapshots(
        places, merged_at, lambda model: probe(model, reference), spent
    )
    unreached = [one.kl_target_nats for one in places if one.knob_value is None]
    trajectory = Trajectory(
        snapshots, tuple(kl_nats for kl_nats in unreached if kl_nats is not None), (), spent
    )
    write_trajectory(out, trajectory, world, policy, knob_of_step)


def _along_knob(
    opened: OpenedMerge, initial: Weights, members: Sequence[Weights], start: Path | None
) -> Callable[[float], Weights]:
    """Weights at each value of the knob: of one iteration, or of the last of several."""
    if start is None:
        return lambda knob_value: opened.merge(initial, members, knob_value)
    begun = weights_of(load_policy(start / "model"))
    whole = opened.merge(begun, members, 1.0)
    return lambda knob_value: opened.draw_back(initial, whole, knob_value)


def _snapshots(
    places: list[Place],
    merged_at: Callable[[float], PreTrainedModel],
    kl_of: Callable[[PreTrainedModel], float],
    spent: Compute,
) -> tuple[tuple[Snapshot, ...], dict[int, float]]:
    """The policies of the places within reach, numbered from 1, and the knob value of each."""
    snapshots: list[Snapshot] = []
    knob_of_step: dict[int, float] = {}
    for one in places:
        if one.knob_value is None:
            continue
        model = merged_at(one.knob_value)
        step = len(snapshots) + 1
        state = {name: value.detach().clone() for name, value in model.state_dict().items()}
        budgets = () if one.kl_target_nats is None else (one.kl_target_nats,)
        snapshots.append(Snapshot(step, kl_of(model), budgets, spent, state))
        knob_of_step[step] = one.knob_value
    return tuple(snapshots), knob_of_step
