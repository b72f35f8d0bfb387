"""A policy as a proxy: its score is what the two policies say, whoever reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.policy_proxy import open_member
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.reward import open_reward
from overopt.artifacts.scores import aligned_scores
from overopt.artifacts.tables import Table, read_json
from overopt.catalog import systems
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.run.own_files import without_place
from overopt.spec.pairs import PairsSpec
from overopt.stages import optimize, score
from overopt.stages.own import policy_proxy
from overopt.worlds.contract import build
from systems import path

from .conftest import PROXY, WORLD

STEPS = PairsSpec(
    learning_rate=1e-2, batch_size=32, max_steps=20, warmup_steps=2, max_gradient_norm=1.0
)
OWN = {"paired.py": path("paired")}


@pytest.fixture(scope="module")
def trained(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the method that the system names."""
    out = tmp_path_factory.mktemp("optimize")
    system = systems.proxy(str(path("paired")))
    assert system.policy is not None and system.policy.config["beta"] == 0.3
    params = {
        "world": WORLD.to_json(),
        "method": system.policy.to_json(),
        "settings": STEPS.to_json(),
        "kl_grid_nats": [],
        "seed": 0,
        "engine": "native",
        "member": 0,
    }
    optimize.run(params, {role: artifacts[role] for role in ("initial", "labels")}, out, silent)
    return out


def made(trained: Path, artifacts: dict[str, Path], out: Path) -> dict[str, object]:
    """Write the proxy; returns the system's JSON, as stages are given it."""
    out.mkdir()
    system = without_place(systems.proxy(str(path("paired")))).to_json()
    params = {"world": WORLD.to_json(), "proxy": PROXY.to_json(), "system": system, "member": 0}
    inputs = {"optimize": trained, "reference": artifacts["initial"], **OWN}
    policy_proxy.run(params, {**inputs, "labels": artifacts["labels"]}, out, silent)
    return system


def test_the_score_is_the_log_ratio_on_the_scale_of_the_initial_policy(
    trained: Path, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "proxy"
    system = made(trained, artifacts, folder)
    world = build(WORLD)
    heldout = load_preferences(artifacts["labels"], world, "heldout").preferences
    last = read_json(trained / "optimize.json")["snapshots"][-1]
    assert last["step"] == STEPS.max_steps
    policy, reference = (
        load_policy(place) for place in (trained / last["folder"], artifacts["initial"] / "model")
    )
    raw_2P = [
        (
            score_logps(policy, heldout.prompts, side).astype(np.float64)
            - score_logps(reference, heldout.prompts, side)
        ).sum(axis=1)
        for side in (heldout.chosen, heldout.rejected)
    ]
    raw_N = np.concatenate(raw_2P)
    member = open_member(folder, world, system, OWN)
    found_N = np.concatenate(
        [member.score(heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)]
    )
    expected_N = (raw_N - raw_N.mean()) / raw_N.std(ddof=1)
    assert found_N == pytest.approx(expected_N, abs=1e-4)
    accuracy = ((raw_2P[0] > raw_2P[1]) + 0.5 * (raw_2P[0] == raw_2P[1])).mean()
    assert read_json(folder / "training.json")["heldout_accuracy"] == pytest.approx(accuracy)
    pairs = load_preferences(artifacts["labels"], world).preferences
    learned = [member.score(pairs.prompts, side).mean() for side in (pairs.chosen, pairs.rejected)]
    assert learned[0] > learned[1] + 0.3


def test_every_reader_scores_alike(
    trained: Path, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    folder, out = tmp_path / "proxy", tmp_path / "score"
    system = made(trained, artifacts, folder)
    world = build(WORLD)
    member = open_member(folder, world, system, OWN)
    samples = Table(artifacts["pool"] / "samples.parquet")
    prompts = world.heldout_prompts.take(samples.integers("prompt_id"))
    responses = samples.tokens("response")
    out.mkdir()
    params = {"world": WORLD.to_json(), "system": system}
    score.run(params, {"samples": artifacts["pool"], "proxy": folder, **OWN}, out, silent)
    score_N = aligned_scores(out, samples)
    assert score_N == pytest.approx(member.score(prompts, responses), abs=1e-6)
    reward = open_reward({"proxy.0": folder, "proxy.1": folder, **OWN}, system, world)
    assert np.array_equal(reward(prompts, responses), member.score(prompts, responses))


def test_a_policy_that_learns_from_the_proxy_is_no_proxy(tmp_path: Path) -> None:
    own = tmp_path / "circle.py"
    text = path("paired").read_text(encoding="utf-8")
    own.write_text(text.replace('POLICY = "dpo"', 'POLICY = "mm-dpo"'), encoding="utf-8")
    with pytest.raises(UserError, match="asks for what a proxy says"):
        systems.proxy(str(own))
