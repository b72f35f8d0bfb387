"""The cluster separation index of a run's policies, against latents that are read one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from overopt.artifacts.own_proxy import open_member
from overopt.artifacts.tables import Table, read_json, write_json, write_table
from overopt.catalog import systems
from overopt.execution.contract import silent
from overopt.models.inside.latents import latent_means
from overopt.models.rewards.headed import TrunkStates
from overopt.models.sequences import join
from overopt.stages.beside import separation
from overopt.stages.own import proxy as own_proxy
from overopt.stats.monitoring.separation import cluster_separation, usual_radius
from overopt.worlds.contract import build

from .conftest import POOL_SAMPLES, PROXY, WORLD

PER_PROMPT = 8


@pytest.fixture(scope="module")
def inform(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A member of InfoRM."""
    out = tmp_path_factory.mktemp("inform")
    system = systems.proxy("inform", {"latents": 6}).to_json()
    params = {"proxy": PROXY.to_json(), "member": 0, "system": system, "seed": 0}
    own_proxy.run(
        {"world": WORLD.to_json(), **params}, {"labels": artifacts["labels"]}, out, silent
    )
    return out


def measured(artifacts: dict[str, Path], inform: Path, out: Path) -> list[dict[str, Any]]:
    """Of a run that repeats the pool's first responses at step 2, and one response at step 5."""
    out.mkdir()
    pool = Table(artifacts["pool"] / "samples.parquet")
    first = np.flatnonzero(pool.integers("sample_id") < PER_PROMPT)
    rows = np.concatenate([first, first // POOL_SAMPLES * POOL_SAMPLES])
    samples = out / "samples"
    samples.mkdir()
    write_table(
        samples / "samples.parquet",
        {
            "step": np.repeat([2, 5], len(first)).astype(np.int32),
            "prompt_id": pool.integers("prompt_id")[rows].astype(np.int32),
            "sample_id": np.tile(pool.integers("sample_id")[first], 2).astype(np.int32),
            "response": pool.tokens("response").take(rows),
        },
    )
    write_json(samples / "optimize.json", {"snapshots": [{"step": 2}, {"step": 5}]})
    system = systems.proxy("inform", {"latents": 6}).to_json()
    separation.run(
        {"world": WORLD.to_json(), "system": system, "per_prompt": PER_PROMPT},
        {"proxy": inform, "pool": artifacts["pool"], "samples": samples},
        out,
        silent,
    )
    rows_read: list[dict[str, Any]] = read_json(out / separation.SEPARATION)
    return rows_read


def test_every_index_is_that_of_the_latents_of_its_samples(
    artifacts: dict[str, Path], inform: Path, tmp_path: Path
) -> None:
    start, same, one = measured(artifacts, inform, tmp_path / "out")
    assert (start["step"], same["step"], one["step"]) == (0, 2, 5)
    world = build(WORLD)
    member = open_member(inform, world, systems.proxy("inform", {"latents": 6}).to_json(), {})
    pool = Table(artifacts["pool"] / "samples.parquet")
    prompts = world.heldout_prompts.take(pool.integers("prompt_id"))
    latent_ND = latent_means(member.model, prompts, pool.tokens("response"))
    sample_N = pool.integers("sample_id")
    usual_ND = latent_ND[sample_N < PER_PROMPT]
    radius = usual_radius(usual_ND)

    def index(row_N: np.ndarray) -> float:
        return cluster_separation(usual_ND, latent_ND[row_N], radius)

    following = (sample_N >= PER_PROMPT) & (sample_N < 2 * PER_PROMPT)
    assert start["csi"] == pytest.approx(index(np.flatnonzero(following)), rel=1e-6)
    assert same["csi"] == pytest.approx(index(np.flatnonzero(sample_N < PER_PROMPT)), rel=1e-6)
    first = np.repeat(np.flatnonzero(sample_N == 0), PER_PROMPT)
    assert one["csi"] == pytest.approx(index(first), rel=1e-6)


def test_latents_are_the_means_that_the_reward_is_read_off(
    artifacts: dict[str, Path], inform: Path
) -> None:
    world = build(WORLD)
    member = open_member(inform, world, systems.proxy("inform", {"latents": 6}).to_json(), {})
    pool = Table(artifacts["pool"] / "samples.parquet")
    rows = np.arange(3)
    prompts = world.heldout_prompts.take(pool.integers("prompt_id")[rows])
    responses = pool.tokens("response").take(rows)
    latent_NE = latent_means(member.model, prompts, responses)
    assert latent_NE.shape == (3, 6)
    with torch.inference_mode():
        states = member.model.states(join(prompts, responses))
        assert isinstance(states, TrunkStates)
        reward_N = member.model.outputs(states)[:, 0].numpy()
    decoder_E = member.model.head.get_parameter("decoder.weight").detach().numpy()[0]
    assert latent_NE @ decoder_E == pytest.approx(reward_N, abs=1e-5)
