"""KL from the initial policy to a run's policies, KL(initial || policy): the forward KL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.tables import Table, read_json, write_json
from overopt.execution.contract import Progress
from overopt.models.logprobs import kl_statistics
from overopt.models.policy import load_policy
from overopt.stats.kl import clustered_mean
from overopt.worlds.contract import world_of

FORWARD = "forward.json"


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write a row for the initial policy, whose forward KL is 0, and one for each snapshot.

    Rao-Blackwellized along the first ``per_prompt`` responses of the pool to each held-out prompt,
    which the initial policy has drawn: the mean over them of the sum over tokens of the exact KL
    of the next token. The standard error is over prompts. The same responses serve every policy.

    params: ``per_prompt``. inputs: ``initial``, ``optimize`` and ``pool``.
    """
    world = world_of(params)
    initial = load_policy(inputs["initial"] / "model")
    pool = Table(inputs["pool"] / "samples.parquet")
    row_N = np.flatnonzero(pool.integers("sample_id") < int(params["per_prompt"]))
    prompt_N = pool.integers("prompt_id")[row_N]
    prompts, responses = world.heldout_prompts.take(prompt_N), pool.tokens("response").take(row_N)
    rows: list[dict[str, Any]] = [{"step": 0, "forward_kl_nats": 0.0, "forward_kl_se": 0.0}]
    snapshots = read_json(inputs["optimize"] / "optimize.json")["snapshots"]
    for done, snapshot in enumerate(snapshots):
        progress(done / len(snapshots), f"step {snapshot['step']}")
        policy = load_policy(inputs["optimize"] / snapshot["folder"])
        rb_N = kl_statistics(initial, policy, prompts, responses).rb_N
        found = clustered_mean(rb_N.reshape(prompt_N[-1] + 1, -1))
        step = int(snapshot["step"])
        rows.append({"step": step, "forward_kl_nats": found.mean, "forward_kl_se": found.se})
    write_json(out / FORWARD, rows)
