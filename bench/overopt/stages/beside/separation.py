"""How far the samples of a run's policies lie off the initial policy's in InfoRM's latents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.own_proxy import open_member
from overopt.artifacts.proxy import open_own_reader
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.execution.contract import Progress
from overopt.models.inside.latents import latent_means
from overopt.stats.monitoring.separation import cluster_separation, usual_radius
from overopt.worlds.contract import world_of

SEPARATION = "separation.json"


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write the cluster separation index of the initial policy, and of each snapshot.

    The usual latents are those of the first ``per_prompt`` responses to each prompt of the pool.
    The initial policy's own index is that of as many responses that follow them.

    params: ``system`` (ProxySystemSpec) of InfoRM; ``per_prompt``, responses to each held-out
    prompt that are read of every policy. inputs: ``proxy``, a member of that system; ``pool``;
    ``samples``, the evaluation of the run.
    """
    world = world_of(params)
    model = open_member(inputs["proxy"], world, params["system"], inputs).model
    reading = open_own_reader(inputs["proxy"], world)
    pool, drawn = (Table(inputs[role] / "samples.parquet") for role in ("pool", "samples"))
    per_prompt = int(params["per_prompt"])
    sample_N = pool.integers("sample_id")

    def latents(table: Table, row_M: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        prompts = world.heldout_prompts.take(table.integers("prompt_id")[row_M])
        return latent_means(model, *reading(prompts, table.tokens("response").take(row_M)))

    usual_ND = latents(pool, np.flatnonzero(sample_N < per_prompt))
    radius = usual_radius(usual_ND)

    def row(step: int, latent_MD: npt.NDArray[np.float64]) -> dict[str, Any]:
        return {"step": step, "csi": cluster_separation(usual_ND, latent_MD, radius)}

    following_N = (sample_N >= per_prompt) & (sample_N < 2 * per_prompt)
    rows = [row(0, latents(pool, np.flatnonzero(following_N)))]
    step_N, read_N = drawn.integers("step"), drawn.integers("sample_id") < per_prompt
    snapshots = read_json(inputs["samples"] / "optimize.json")["snapshots"]
    for done, snapshot in enumerate(snapshots):
        step = int(snapshot["step"])
        progress(done / len(snapshots), f"step {step}")
        mine = np.flatnonzero((step_N == step) & read_N)
        rows.append(row(step, latents(drawn, mine)))
    write_json(out / SEPARATION, rows)
