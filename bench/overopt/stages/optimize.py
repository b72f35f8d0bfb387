"""Moves the policy with a method, and keeps the policies that it passes on its way along KL."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.randomness import derived_seed, numpy_rng, torch_rng
from overopt.artifacts.reward import SystemReward
from overopt.artifacts.tables import write_json
from overopt.engines.iterations import optimize_iterations
from overopt.engines.kl_probe import KLProbe
from overopt.engines.kl_walk import Trajectory
from overopt.engines.pairs import optimize_pairs, score_reference
from overopt.engines.rollouts import optimize_rollouts
from overopt.execution.contract import Progress
from overopt.execution.modules import load_module
from overopt.models.folders import save_model
from overopt.models.policy import load_policy
from overopt.spec.method import MethodSpec
from overopt.spec.pairs import PairsSpec
from overopt.spec.rollout import RolloutSpec
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World, lexicon, world_of
from overopt.worlds.preferences import Preferences

PROBE_PROMPTS = 64
PROBE_SAMPLES = 2


TRL = "overopt.stages.optimize_trl"
"""The stage on the trl engine, loaded by name: TRL takes seconds and much memory to import, and
its code is no part of a native artifact's key."""


def run(
    params: dict[str, Any],
    inputs: dict[str, Path],
    out: Path,
    progress: Progress,
    kept: Path | None = None,
) -> None:
    """Optimize from the initial policy until the last KL budget, or for ``max_steps``.

    params: ``world``, ``method`` (MethodSpec), ``settings`` of its family, ``kl_grid_nats`` (empty:
    only the policy after ``max_steps``), ``seed``, ``engine``; for what samples also ``system``;
    for a policy that is to be merged with others ``member``, its number; for the engine trl also
    ``trl`` (TrlSpec). kept: folder that outlives a killed process.
    Gold is no input of this stage, so that no method can see it.
    """
    if params["engine"] == "trl":
        importlib.import_module(TRL).run(params, inputs, out, progress, kept)
        return
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world = world_of(params)
    seed = int(params["seed"])
    policy = load_policy(inputs["initial"] / "model")
    reference = load_policy(inputs["initial"] / "model")
    module = load_module(method.source)
    config = module.Config(**method.config)
    budgets = [float(kl_nats) for kl_nats in params["kl_grid_nats"]]
    use = ("optimize", method.name, *([params["member"]] if "member" in params else []))
    if method.trains == "pairs":
        pairs = Preferences(*load_preferences(inputs["labels"], world).preferences)
        trajectory = optimize_pairs(
            module,
            config,
            PairsSpec.model_validate(params["settings"]),
            policy,
            pairs,
            score_reference(reference, pairs),
            build_probe(world, reference, seed),
            budgets,
            numpy_rng(seed, *use),
            progress,
            reference,
        )
    else:
        optimize = optimize_iterations if method.trains == "iterative" else optimize_rollouts
        trajectory = optimize(
            module,
            config,
            RolloutSpec.model_validate(params["settings"]),
            policy,
            reference,
            world.train_prompts,
            SystemReward(inputs, ProxySystemSpec.model_validate(params["system"]), world),
            world.response_tokens_max,
            budgets,
            torch_rng(seed, *use),
            progress,
        )
    write_trajectory(out, trajectory, world, policy, {})


def build_probe(world: World, reference: PreTrainedModel, seed: int) -> KLProbe:
    """The cheap KL estimate of a run's seed, on the first training prompts."""
    prompts = np.arange(min(PROBE_PROMPTS, world.train_prompts.rows()))
    return KLProbe(
        reference,
        world.train_prompts.take(prompts),
        PROBE_SAMPLES,
        world.response_tokens_max,
        derived_seed(seed, "optimize", "probe"),
    )


def write_trajectory(
    out: Path,
    trajectory: Trajectory,
    world: World,
    policy: PreTrainedModel,
    knob_of_step: Mapping[int, float],
) -> None:
    """Write every snapshot's folder, ``optimize.json`` and, where there are rows, their table.

    Args:
        out: the artifact.
        trajectory: of the run.
        world: whose vocabulary the folders carry.
        policy: takes each snapshot's weights in turn.
        knob_of_step: the knob's value where it differs between snapshots.
    """
    snapshots = []
    for snapshot in trajectory.snapshots:
        folder = f"snapshots/step_{snapshot.step:06d}"
        # all at once: weights may be merged from adapters only when they are looked at
        policy.load_state_dict(dict(snapshot.state.items()))
        save_model(policy, out / folder, lexicon(world))
        nearest = min(
            snapshot.budgets_nats, key=lambda kl: abs(kl - snapshot.kl_nats), default=None
        )
        snapshots.append(
            {
                "step": snapshot.step,
                "folder": folder,
                "kl_cheap_nats": snapshot.kl_nats,
                "kl_target_nats": nearest,
                "shared_kl_targets_nats": [k for k in snapshot.budgets_nats if k != nearest],
                **snapshot.compute._asdict(),
                **({"knob_value": knob_of_step[snapshot.step]} if knob_of_step else {}),
            }
        )
    write_json(
        out / "optimize.json",
        {
            "snapshots": snapshots,
            "unreached_kl_nats": list(trajectory.unreached_nats),
            **trajectory.compute._asdict(),
        },
    )
    if trajectory.rows:
        with (out / "trajectory.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=trajectory.rows[0]._fields)
            writer.writeheader()
            writer.writerows(row._asdict() for row in trajectory.rows)
