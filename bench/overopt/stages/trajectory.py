"""What the stages that move policies share: the cheap KL probe, and the files of a trajectory."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel

from overopt.artifacts.randomness import derived_seed
from overopt.artifacts.tables import write_json
from overopt.engines.walk.kl_probe import KLProbe
from overopt.engines.walk.trajectory import Trajectory
from overopt.models.folders import save_model
from overopt.worlds.contract import World, lexicon

PROBE_ROWS = 128
"""Responses of one cheap estimate: one for each of so many prompts, more where there are fewer."""


def build_probe(world: World, seed: int) -> KLProbe:
    """The cheap KL estimate of a run's seed, on prompts that its policies are measured on.

    KL varies between prompts. On others the estimate missed the measured KL by 10 % in sqrt(KL) at
    one budget in twenty. It sees no gold, and no policy learns from these prompts.
    """
    prompts = min(PROBE_ROWS, world.heldout_prompts.rows())
    return KLProbe(
        world.heldout_prompts.take(np.arange(prompts)),
        -(-PROBE_ROWS // prompts),
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
    for snapshot in trajectory.snapshots:
        # all at once: weights may be merged from adapters only when they are looked at
        policy.load_state_dict(dict(snapshot.state.items()))
        save_model(policy, out / folder_of(snapshot.step), lexicon(world))
    write_record(out, trajectory, knob_of_step)


def folder_of(step: int) -> str:
    """Where a snapshot lies inside of its artifact."""
    return f"snapshots/step_{step:06d}"


def write_record(out: Path, trajectory: Trajectory, knob_of_step: Mapping[int, float]) -> None:
    """Write ``optimize.json``, which lists the snapshots, and the table of rows.

    Args:
        out: the artifact.
        trajectory: of the run.
        knob_of_step: the knob's value where it differs between snapshots.
    """
    snapshots = []
    for snapshot in trajectory.snapshots:
        nearest = min(
            snapshot.budgets_nats, key=lambda kl: abs(kl - snapshot.kl_nats), default=None
        )
        snapshots.append(
            {
                "step": snapshot.step,
                "folder": folder_of(snapshot.step),
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
    table = [row._asdict() for row in trajectory.rows]
    if table:
        with (out / "trajectory.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(table[0]))
            writer.writeheader()
            writer.writerows(table)
