"""What a proxy is before it learns, and that nothing else of it depends on where it starts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from overopt.artifacts.proxy import Member
from overopt.execution.contract import silent
from overopt.models.policy import load_policy
from overopt.models.rewards.reward import score
from overopt.models.starts.policy import start_reward
from overopt.spec.origins import ModelOrigin
from overopt.spec.proxy import ProxySpec, ProxyStart
from overopt.stages import proxy
from overopt.worlds.contract import build

from .conftest import POLICY, PROXY, WORLD

FROM_POLICY = PROXY.started("policy")


def untrained(artifacts: dict[str, Path], seed: int = 0) -> PreTrainedModel:
    origin = ModelOrigin(path=str(artifacts["initial"] / "model"))
    model, _ = start_reward(origin, build(WORLD), seed)
    return model


def trained(spec: ProxySpec, artifacts: dict[str, Path], out: Path, member: int = 0) -> Path:
    out.mkdir()
    params = {"world": WORLD.to_json(), "proxy": spec.to_json(), "seed": 0, "member": member}
    inputs = {role: artifacts[role] for role in ("labels", "initial")}
    proxy.run(params, inputs, out, silent)
    return out


def test_the_trunk_is_the_initial_policys_and_the_head_is_fresh(artifacts: dict[str, Path]) -> None:
    policy = load_policy(artifacts["initial"] / "model").state_dict()
    made = untrained(artifacts)
    weights = made.state_dict()
    head = {name for name in weights if name.startswith("score.")}
    assert head == {"score.weight"}
    trunk = {name for name in policy if name != "lm_head.weight"}
    assert trunk == set(weights) - head
    for name in trunk:
        assert torch.equal(weights[name], policy[name]), name
    assert POLICY.architecture is not None
    assert weights["score.weight"].shape == (1, POLICY.architecture.width)
    other = untrained(artifacts, seed=1).state_dict()
    assert torch.equal(untrained(artifacts).state_dict()["score.weight"], weights["score.weight"])
    assert not torch.equal(other["score.weight"], weights["score.weight"])
    assert float(weights["score.weight"].abs().max()) > 0


def test_the_capacity_is_that_of_the_policy(artifacts: dict[str, Path]) -> None:
    policy, made = load_policy(artifacts["initial"] / "model"), untrained(artifacts)
    for name in ("n_embd", "n_layer", "n_head", "n_positions", "vocab_size"):
        assert getattr(made.config, name) == getattr(policy.config, name), name
    trunk, own = policy.base_model.num_parameters(), made.base_model.num_parameters()
    assert own == trunk and made.num_parameters() == trunk + made.config.n_embd


def test_a_start_leaves_the_random_state_alone(artifacts: dict[str, Path]) -> None:
    before = torch.random.get_rng_state()
    untrained(artifacts)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("start", ["scratch", "policy"])
def test_a_proxy_of_either_start_learns_and_scores_alike(
    start: ProxyStart, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    """Same steps on the same data; scores are recentered, and the same whatever the batch."""
    folder = trained(PROXY.started(start), artifacts, tmp_path / "proxy")
    training = json.loads((folder / "training.json").read_text())
    from_scratch = json.loads((artifacts["proxy"] / "training.json").read_text())
    for name in ("steps", "tokens"):
        assert training[name] == from_scratch[name]
    assert training["last_loss_nats"] < training["first_loss_nats"]
    world = build(WORLD)
    member = Member(folder, world)
    prompts = world.heldout_prompts.take(np.array([0, 0, 1, 1, 2]))
    responses = world.references(prompts, np.random.default_rng(0))
    raw = score(member.model, prompts, responses)
    assert np.isfinite(raw).all() and np.ptp(raw) > 0
    for row in range(5):
        only = np.array([row])
        alone = score(member.model, prompts.take(only), responses.take(only))
        assert alone[0] == pytest.approx(raw[row], abs=1e-5)


def test_members_from_the_policy_differ_by_their_heads_and_batches(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    one = trained(FROM_POLICY, artifacts, tmp_path / "one")
    again = trained(FROM_POLICY, artifacts, tmp_path / "again")
    other = trained(FROM_POLICY, artifacts, tmp_path / "other", member=1)
    weights = "model/model.safetensors"
    assert (one / weights).read_bytes() == (again / weights).read_bytes()
    assert (one / weights).read_bytes() != (other / weights).read_bytes()
