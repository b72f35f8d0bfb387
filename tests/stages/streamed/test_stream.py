"""A stream leaves the scores that the unstreamed pool has, whatever the size of its chunks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.randomness import torch_rng
from overopt.artifacts.tables import Table, read_json
from overopt.catalog import systems
from overopt.execution.contract import silent
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.stages.streamed import stream
from overopt.stats.pools.best_of_n import curve
from overopt.stats.pools.extrapolation import best_of_n
from overopt.worlds.contract import world_of
from overopt.worlds.tokens import concatenate

from ..conftest import POOL_SAMPLES, WORLD

PROMPTS = 3


@pytest.mark.parametrize("rows", [1, 5, POOL_SAMPLES])
def test_samples_are_those_of_one_call(artifacts: dict[str, Path], rows: int) -> None:
    world = world_of({"world": WORLD.to_json()})
    policy = load_policy(artifacts["initial"] / "model")
    asked = (policy, world, PROMPTS, POOL_SAMPLES, rows)
    drawn = concatenate([part for *_, part in stream.chunks(*asked, torch_rng(0, "pool"))])
    # the pool artifact drew these prompts first, by the same generator
    pool = Table(artifacts["pool"] / "samples.parquet").tokens("response")
    first = pool.take(np.arange(PROMPTS * POOL_SAMPLES))
    whole = sample(
        policy,
        world.heldout_prompts.take(np.arange(PROMPTS)),
        POOL_SAMPLES,
        world.response_tokens_max,
        torch_rng(0, "pool"),
    ).responses
    for other in (first, whole):
        assert (drawn.length_N == other.length_N).all()
        assert (drawn.flat() == other.flat()).all()


def test_scores_are_those_of_the_pool(
    artifacts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gold to the last bit, proxies to rounding: rows of another batch are added in other order."""
    monkeypatch.setattr(stream, "torch_rng", lambda seed, _: torch_rng(seed, "pool"))
    params = {
        "world": WORLD.to_json(),
        "system": systems.proxy("single").to_json(),
        "prompts": PROMPTS,
        "samples_per_prompt": POOL_SAMPLES,
        "chunk_rows": 7,
        "seed": 0,
    }
    inputs = {role: artifacts[role] for role in ("initial", "gold", "pool")}
    stream.run(params, {**inputs, "proxy.0": artifacts["proxy"]}, tmp_path, silent)
    found, kept = Table(tmp_path / "stream.parquet"), PROMPTS * POOL_SAMPLES
    pool = Table(artifacts["pool"] / "samples.parquet")
    scale = read_json(artifacts["pool"] / "summary.json")
    gold_N = (pool.floats("gold")[:kept] - scale["gold_mean"]) / scale["gold_sd"]
    proxy_N = Table(artifacts["score.pool.0"] / "scores.parquet").floats("score")[:kept]
    assert (found.floats("gold") == gold_N).all()
    assert found.floats("proxy") == pytest.approx(proxy_N, abs=1e-5)
    prompt_N = found.integers("prompt_id")
    ours = best_of_n(prompt_N, found.floats("gold"), found.floats("proxy"), 16)
    theirs = curve(prompt_N, gold_N, found.floats("proxy"), ours.n_K)
    gain_BK = theirs.gold_BK - theirs.gold_BK[:, :1]
    assert ours.gold_K == pytest.approx(gain_BK.mean(axis=0), abs=1e-12)
    assert ours.kl_nats_K == pytest.approx(theirs.kl_BK.mean(axis=0), abs=1e-12)
