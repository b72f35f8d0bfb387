"""A head of a system's own: trained with its trunk, written, and scored from its folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from overopt.artifacts.member_loss import MemberLoss, ReferenceLogps
from overopt.artifacts.own_proxy import open_member
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.proxy import Member
from overopt.artifacts.reward import open_reward
from overopt.artifacts.scores import aligned_scores
from overopt.artifacts.tables import Table, read_json
from overopt.catalog import systems
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.members import OpenedMembers
from overopt.execution.contract import silent
from overopt.models.logprobs import response_logps, score_logps
from overopt.models.policy import load_policy
from overopt.models.rewards.headed import HeadedReward
from overopt.models.sequences import join
from overopt.proxies.contract.heads import HeadShape, ReadBatch
from overopt.run.own_files import without_place
from overopt.stages import score
from overopt.stages.own import proxy as own_proxy
from overopt.worlds.contract import build
from systems import path

from .conftest import PROXY, WORLD

FROM_POLICY = PROXY.started("policy")


def train(artifacts: dict[str, Path], out: Path, weight: float = 0.0) -> dict[str, object]:
    """Train the system of the tests; returns its JSON, as stages are given it."""
    out.mkdir()
    system = without_place(systems.proxy(str(path("headed")), {"weight": weight})).to_json()
    params = {"world": WORLD.to_json(), "seed": 0, "proxy": FROM_POLICY.to_json(), "member": 0}
    inputs = {role: artifacts[role] for role in ("labels", "initial")}
    own_proxy.run(
        {**params, "system": system}, {**inputs, "headed.py": path("headed")}, out, silent
    )
    return system


def test_it_learns_and_is_scored_alike_by_every_reader(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "proxy"
    system = train(artifacts, folder)
    training = read_json(folder / "training.json")
    assert training["last_loss_nats"] < training["first_loss_nats"]
    world = build(WORLD)
    own = {"headed.py": path("headed")}
    member = open_member(folder, world, system, own)
    heldout = load_preferences(artifacts["labels"], world, "heldout").preferences
    score_N = np.concatenate(
        [member.score(heldout.prompts, side) for side in (heldout.chosen, heldout.rejected)]
    )
    assert score_N.mean() == pytest.approx(0.0, abs=1e-5)
    assert score_N.std(ddof=1) == pytest.approx(1.0, abs=1e-5)
    reward = open_reward({"proxy.0": folder, **own}, system, world)
    assert np.array_equal(
        reward(heldout.prompts, heldout.chosen), member.score(heldout.prompts, heldout.chosen)
    )
    out = tmp_path / "score"
    out.mkdir()
    params = {"world": WORLD.to_json(), "system": system}
    score.run(params, {"samples": artifacts["pool"], "proxy": folder, **own}, out, silent)
    samples = Table(artifacts["pool"] / "samples.parquet")
    prompts = world.heldout_prompts.take(samples.integers("prompt_id"))
    expected_N = member.score(prompts, samples.tokens("response"))
    assert aligned_scores(out, samples) == pytest.approx(expected_N, abs=1e-6)


def test_the_head_is_part_of_the_score_and_the_language_head_is_kept(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    """A heavy weight on the language head's drift keeps the trunk a language model."""
    pairs = load_preferences(artifacts["labels"], build(WORLD)).preferences
    policy = load_policy(artifacts["initial"] / "model")
    before_N = score_logps(policy, pairs.prompts, pairs.chosen).sum(-1)
    moved = {}
    for weight in (0.0, 100.0):
        folder = tmp_path / str(weight)
        train(artifacts, folder, weight)
        after_N = score_logps(load_policy(folder / "model"), pairs.prompts, pairs.chosen).sum(-1)
        moved[weight] = float(np.abs(after_N - before_N).mean())
    assert moved[100.0] < 0.5 * moved[0.0]


def test_the_loss_is_handed_both_sides_in_order(artifacts: dict[str, Path]) -> None:
    """What the batch says of a comparison is what the models say of its two responses."""
    seen: list[ReadBatch] = []

    class Spy(OpenedMembers):
        def loss(self, batch: ReadBatch) -> Tensor:
            seen.append(batch)
            return super().loss(batch)

    world = build(WORLD)
    pairs = load_preferences(artifacts["labels"], world).preferences
    policy = load_policy(artifacts["initial"] / "model")
    opened = open_as(Spy, systems.proxy(str(path("headed"))))
    shape = HeadShape(int(policy.config.hidden_size))
    model = HeadedReward(policy, opened.make_head(shape, seed=0))
    sides = (pairs.chosen, pairs.rejected)
    reference = ReferenceLogps(*(score_logps(policy, pairs.prompts, side) - 1 for side in sides))
    loss = MemberLoss(opened, lambda b: model.read(b, True), pairs, model, reference)
    index_B = np.array([5, 0, 17])
    value = loss(index_B)
    (batch,) = seen
    for side, reading, reward_P in (
        (pairs.chosen, batch.chosen, batch.chosen_P),
        (pairs.rejected, batch.rejected, batch.rejected_P),
    ):
        joined = join(pairs.prompts.take(index_B), side.take(index_B))
        logp_PT = response_logps(policy, joined)
        assert reading.logp_PT is not None and reading.reference_logp_PT is not None
        width = logp_PT.shape[1]
        torch.testing.assert_close(reading.logp_PT[:, :width], logp_PT)
        torch.testing.assert_close(
            reading.reference_logp_PT[:, :width], logp_PT.detach() - 1, atol=1e-5, rtol=0
        )
        torch.testing.assert_close(reward_P, model.read(joined, False).reward_B)
        assert reading.output_PC is not None
        assert torch.equal(reading.output_PC[:, 0], reward_P)
    expected = -torch.nn.functional.logsigmoid(batch.chosen_P - batch.rejected_P).mean()
    torch.testing.assert_close(value, expected)


def test_other_readers_refuse_it(artifacts: dict[str, Path], tmp_path: Path) -> None:
    """Its folder is no classifier: read as one, its score would lack the head."""
    train(artifacts, tmp_path / "proxy")
    model = Member(tmp_path / "proxy", build(WORLD)).model
    assert "head.0.weight" not in dict(model.named_parameters())
    assert (tmp_path / "proxy" / "model" / "head.safetensors").is_file()
