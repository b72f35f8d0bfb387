"""Members that start and learn in a way of their own, and the one that they are merged into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from overopt.artifacts.proxy import Member
from overopt.artifacts.tables import read_json
from overopt.catalog import systems
from overopt.execution.contract import silent
from overopt.run.own_files import without_place
from overopt.spec.system import ProxySystemSpec
from overopt.stages import proxy
from overopt.stages.own import merged_proxy
from overopt.stages.own import proxy as own_proxy
from overopt.worlds.contract import build
from systems import path

from .conftest import PROXY, WORLD

FROM_POLICY = PROXY.started("policy")
WEIGHTS = "model/model.safetensors"


def averaged(folder: Path, start: str = "probed", **settings: object) -> ProxySystemSpec:
    """The system of the tests from either start; its file is copied into the folder."""
    own = folder / "averaged.py"
    text = path("averaged").read_text(encoding="utf-8")
    own.write_text(text.replace('START = "probed"', f'START = "{start}"'), encoding="utf-8")
    return systems.proxy(str(own), settings)


def member(artifacts: dict[str, Path], out: Path, system: ProxySystemSpec, number: int = 0) -> Path:
    """A member as the stage leaves it."""
    out.mkdir()
    params = {
        "world": WORLD.to_json(),
        "proxy": FROM_POLICY.to_json(),
        "seed": 0,
        "member": number,
        "system": without_place(system).to_json(),
    }
    inputs = {role: artifacts[role] for role in ("labels", "initial")}
    own = Path(system.source)
    own_proxy.run(params, {**inputs, own.name: own}, out, silent)
    return out


def test_a_member_that_departs_in_nothing_is_a_proxy_from_the_policy(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    made = member(artifacts, tmp_path / "own", averaged(tmp_path, "policy"))
    plain = tmp_path / "plain"
    plain.mkdir()
    params: dict[str, Any] = {"world": WORLD.to_json(), "seed": 0, "member": 0}
    inputs = {role: artifacts[role] for role in ("labels", "initial")}
    proxy.run({**params, "proxy": FROM_POLICY.to_json()}, inputs, plain, silent)
    for name in (WEIGHTS, "normalization.json", "training.json"):
        assert (made / name).read_bytes() == (plain / name).read_bytes(), name


def test_rate_and_dropout_act_and_the_random_state_is_left_alone(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    before = torch.random.get_rng_state()
    folders = {}
    for name, rate, dropout in (("as", 1.0, 0.0), ("slow", 1e-9, 0.0), ("drop", 1.0, 0.3)):
        system = averaged(tmp_path, "policy", rate=rate, dropout=dropout)
        folders[name] = member(artifacts, tmp_path / name, system)
        again = member(artifacts, tmp_path / f"{name}_again", system)
        assert (folders[name] / WEIGHTS).read_bytes() == (again / WEIGHTS).read_bytes()
    assert torch.equal(before, torch.random.get_rng_state())
    slow = load_file(folders["slow"] / WEIGHTS)
    policy = load_file(artifacts["initial"] / WEIGHTS)
    for name, value in policy.items():
        if name in slow:
            torch.testing.assert_close(slow[name], value, atol=1e-6, rtol=0)
    one, other = (load_file(folders[name] / WEIGHTS) for name in ("as", "drop"))
    assert not torch.equal(one["score.weight"], other["score.weight"])
    model = Member(folders["drop"], build(WORLD)).model
    assert not any(m.p for m in model.modules() if isinstance(m, torch.nn.Dropout))


def test_probed_members_start_from_one_head(artifacts: dict[str, Path], tmp_path: Path) -> None:
    """At a rate of nearly 0 two members are the same model: all that they share is their start."""
    system = averaged(tmp_path, rate=1e-12)
    one, two = (
        load_file(member(artifacts, tmp_path / str(m), system, m) / WEIGHTS) for m in (0, 1)
    )
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-7, rtol=0)
    training = read_json(tmp_path / "0" / "training.json")
    assert training["first_loss_nats"] < np.log(2)  # a random head would start near log 2
    assert float(one["score.weight"].abs().max()) > 0


@pytest.mark.parametrize("members", [1, 2])
def test_the_merged_model_is_its_one_member_or_their_mean(
    members: int, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    system = averaged(tmp_path, members=members)
    folders = [member(artifacts, tmp_path / str(m), system, m) for m in range(members)]
    out = tmp_path / "merged"
    out.mkdir()
    params = {
        "world": WORLD.to_json(),
        "proxy": FROM_POLICY.to_json(),
        "system": without_place(system).to_json(),
    }
    inputs = {f"member.{m}": folder for m, folder in enumerate(folders)}
    inputs["averaged.py"] = Path(system.source)
    merged_proxy.run(params, {**inputs, "labels": artifacts["labels"]}, out, silent)
    merged = load_file(out / WEIGHTS)
    trained = [load_file(folder / WEIGHTS) for folder in folders]
    for name, value in merged.items():
        mean = sum(one[name] for one in trained) / members
        torch.testing.assert_close(value, torch.as_tensor(mean))
    if members == 1:
        assert read_json(out / "normalization.json") == read_json(folders[0] / "normalization.json")
        return
    world = build(WORLD)
    prompts = world.heldout_prompts.take(np.arange(6))
    responses = world.references(prompts, np.random.default_rng(0))
    scores = [Member(folder, world).score(prompts, responses) for folder in (out, *folders)]
    assert np.corrcoef(scores[0], np.mean(scores[1:], axis=0))[0, 1] > 0.9
    assert not np.array_equal(scores[0], scores[1])
