"""Evaluation of policies on the held-out prompts: one sampler for every method.

Temperature 1, no truncation of the distribution, response tokens up to and including EOS, sums
over the sequence, nats.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from overopt.artifacts.gold import load_gold
from overopt.artifacts.randomness import torch_rng
from overopt.artifacts.tables import Column, read_json, write_json, write_table
from overopt.execution.contract import Progress
from overopt.models.logprobs import kl_statistics
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.stages.shown.enumeration import Enumeration
from overopt.worlds.contract import Gold, World, world_of
from overopt.worlds.tokens import Tokens, concatenate


def measure_policy(
    policy: PreTrainedModel,
    reference: PreTrainedModel,
    gold: Gold,
    world: World,
    samples_per_prompt: int,
    seed: int,
    step: int,
) -> dict[str, Column]:
    """Samples of one policy, row by row, with what is measured on each of them.

    Returns:
        Columns of B x N rows, prompt-major. ``kl_rb``: Rao-Blackwellized KL of the sampled
        prefix; ``policy_logp``, ``reference_logp``: log-probability of the whole response, from
        which k1, k2 and k3 follow; ``entropy``: Rao-Blackwellized entropy; all in nats.
    """
    prompts = world.heldout_prompts
    drawn = sample(
        policy,
        prompts,
        samples_per_prompt,
        world.response_tokens_max,
        torch_rng(seed, "evaluate", step),
        keep_every=True,
    )
    prompt_id_N = np.repeat(np.arange(prompts.rows(), dtype=np.int32), samples_per_prompt)
    repeated = prompts.take(prompt_id_N)
    kl = kl_statistics(policy, reference, repeated, drawn.responses, drawn.drawn)
    return {
        "step": np.full(len(prompt_id_N), step, dtype=np.int32),
        "prompt_id": prompt_id_N,
        "sample_id": np.tile(np.arange(samples_per_prompt, dtype=np.int32), prompts.rows()),
        "response": drawn.responses,
        "gold": gold(repeated, drawn.responses),
        "policy_logp": kl.policy_logp_NT.sum(axis=1, dtype=np.float64),
        "reference_logp": kl.reference_logp_NT.sum(axis=1, dtype=np.float64),
        "kl_rb": np.asarray(kl.rb_N, dtype=np.float64),
        "entropy": np.asarray(kl.entropy_N, dtype=np.float64),
    }


def _concatenate(parts: list[dict[str, Column]]) -> dict[str, Column]:
    joined: dict[str, Column] = {}
    for name, first in parts[0].items():
        columns = [part[name] for part in parts]
        if isinstance(first, Tokens):
            joined[name] = concatenate([c for c in columns if isinstance(c, Tokens)])
        else:
            joined[name] = np.concatenate([c for c in columns if not isinstance(c, Tokens)])
    return joined


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Measure every snapshot of an ``optimize`` artifact."""
    world = world_of(params)
    reference = load_policy(inputs["initial"] / "model")
    gold = load_gold(inputs["gold"], world)
    record = read_json(inputs["optimize"] / "optimize.json")
    exact = Enumeration(world, reference, gold) if world.responses is not None else None
    parts: list[dict[str, Column]] = []
    exact_rows: dict[str, dict[str, list[float]]] = {}
    if exact is not None:
        exact_rows["initial"] = {"gold": exact.start_gold_B.tolist()}
    for done, snapshot in enumerate(record["snapshots"]):
        step = int(snapshot["step"])
        progress(done / len(record["snapshots"]), f"step {step}")
        policy = load_policy(inputs["optimize"] / snapshot["folder"])
        parts.append(
            measure_policy(
                policy,
                reference,
                gold,
                world,
                int(params["samples_per_prompt"]),
                int(params["seed"]),
                step,
            )
        )
        if exact is not None:
            found = exact.measure(policy)
            exact_rows[str(step)] = {"kl_nats": found.kl_B.tolist(), "gold": found.gold_B.tolist()}
    if parts:
        write_table(out / "samples.parquet", _concatenate(parts))
    write_json(out / "optimize.json", record)
    write_json(out / "exact.json", exact_rows)
