"""Samples of trained, merged, composed, filtered and searched policies, as stages kept them."""

from __future__ import annotations

import numpy as np

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.points import Floats, read_pool, system_scores
from overopt.artifacts.tables import Table, read_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.leaderboard.submission.evidence.contract import Evidence, Made, by_prompt
from overopt.leaderboard.submission.pages import Samples
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.tokens import concatenate

_OF_POLICY = ("policy_logp", "kl_rb", "entropy")


def gather(made: Made) -> Evidence:
    """Everything that was kept of the samples that the points were made from."""
    spec = ProxySystemSpec.model_validate(made.params["system"])
    system = open_as(OpenedProxy, locate_own(spec, made.inputs))
    pool = read_pool(made.inputs, system)
    gold_KB, proxy_KB = by_prompt(made)
    measured = made.measured
    kl_KB = np.zeros_like(gold_KB)
    parts: dict[str, list[Floats]] = {name: [] for name in ("reference_logp", "gold", *_OF_POLICY)}
    points, prompt_ids, sample_ids, proxies, responses, weights = [], [], [], [], [], {}
    k = 0
    for i in range(len(made.params["policies"])):
        folder = made.inputs[f"evaluate.{i}"]
        record, listed = read_json(folder / "optimize.json"), read_json(folder / "exact.json")
        if not record["snapshots"]:
            continue
        table = Table(folder / "samples.parquet")
        proxy_N = system_scores(made.inputs, str(i), table, system)
        step_N = table.integers("step")
        for snapshot in record["snapshots"]:
            k += 1
            row, point = measured[k]
            step = int(snapshot["step"])
            if point["step"] != step:
                raise ValueError(f"point {row} is of step {point['step']}, its samples of {step}")
            chosen = np.flatnonzero(step_N == step)
            for name, kept in parts.items():
                if name in table.columns:
                    kept.append(table.floats(name)[chosen])
            points.append(np.full(len(chosen), row, np.int32))
            prompt_ids.append(table.integers("prompt_id")[chosen].astype(np.int32))
            sample_ids.append(table.integers("sample_id")[chosen].astype(np.int32))
            proxies.append(proxy_N[chosen])
            responses.append(table.tokens("response").take(chosen))
            if str(step) in listed:
                kl_KB[k] = listed[str(step)]["kl_nats"]
            elif "kl_of_prompts_nats" in snapshot:
                kl_KB[k] = snapshot["kl_of_prompts_nats"]
            else:
                kl_KB[k] = parts["kl_rb"][-1].reshape(gold_KB.shape[1], -1).mean(axis=1)
            optimized = made.of_inputs[f"evaluate.{i}"].get("optimize")
            file = optimized and optimized / str(snapshot.get("folder", "")) / "model.safetensors"
            if file and file.is_file():
                weights[row] = file
    scales = pool.gold_mean, pool.gold_sd, pool.proxy_offset
    if not points:
        return Evidence(None, *scales, {})
    joined = {name: np.concatenate(kept) if kept else np.zeros(0) for name, kept in parts.items()}
    samples = Samples(
        point=np.concatenate(points),
        prompt_id=np.concatenate(prompt_ids),
        sample_id=np.concatenate(sample_ids),
        responses=concatenate(responses),
        proxy=np.concatenate(proxies),
        measured_K=np.array([row for row, _ in measured], np.int32),
        prompt_gold_KB=gold_KB,
        prompt_proxy_KB=proxy_KB,
        prompt_kl_KB=kl_KB,
        **joined,
    )
    return Evidence(samples, *scales, weights)
