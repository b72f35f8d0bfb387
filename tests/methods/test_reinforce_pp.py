from __future__ import annotations

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import reinforce_pp

from . import rollouts


def test_returns_by_hand() -> None:
    """Rewards 1 and 3, beta .5, log-ratios .4, .2 | -.2: 1 - .3, 1 - .1, 3 + .1 over the tokens."""
    seen = rollouts.rollout([1.0, 3.0])
    mask_BNT = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]]).double()
    logp_BNT = torch.tensor([[[0.4, 0.2], [-0.2, 9.0]]]).double()
    sampled = seen.sampled._replace(
        policy_logp=logp_BNT, reference_logp=torch.zeros_like(logp_BNT), mask=mask_BNT
    )
    found = reinforce_pp.advantages(
        reinforce_pp.Config(beta=0.5), seen._replace(sampled=sampled)
    ).flatten()
    returns = torch.tensor([0.7, 0.9, 3.1]).double()
    expected = (returns - returns.mean()) / returns.std(correction=0)
    assert found.tolist() == pytest.approx([*expected.tolist(), 0.0])


def test_baseline_takes_the_groups_mean_out() -> None:
    seen = rollouts.rollout([1.0, 3.0])
    both = torch.tensor([[1.0, 3.0], [11.0, 13.0]]).double()
    sampled = seen.sampled.map(lambda part: part.expand(2, -1, -1))
    found = reinforce_pp.advantages(
        reinforce_pp.Config(baseline=True), seen._replace(reward_BN=both, sampled=sampled)
    )
    assert found.flatten().tolist() == pytest.approx([-1.0, 1.0, -1.0, 1.0])


def test_it_rests_at_the_tilted_reference() -> None:
    """Responses are of one token: all penalized returns are alike, and whitening leaves nothing."""
    best_R = (rollouts.REFERENCE_R.log() + rollouts.REWARD_R / 0.5).softmax(-1)
    ratio = (best_R / rollouts.REFERENCE_R).log().tolist()
    config, reward = reinforce_pp.Config(beta=0.5), rollouts.REWARD_R.tolist()
    rested = reinforce_pp.advantages(config, rollouts.rollout(reward, ratio))
    assert rested.abs().max() < 1e-9
    started = reinforce_pp.advantages(config, rollouts.rollout(reward))
    assert started.flatten().tolist() == pytest.approx([-1.2247, 0.0, 1.2247], abs=1e-4)


def test_it_rests_at_the_tilted_reference_of_two_tokens() -> None:
    """There returns differ, but only by the prefix, and over them the mean gradient is 0."""
    reference_XY = torch.tensor([[0.3, 0.3], [0.1, 0.3]]).double()
    reward_XY = torch.tensor([[0.0, 1.0], [2.0, 0.5]]).double()
    first_R, second_R = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])

    def logp(logits_XY: torch.Tensor) -> torch.Tensor:
        """Of both tokens of the four responses, (1, 4, 2), from the logits of whole responses."""
        joint_XY = torch.log_softmax(logits_XY.flatten(), -1).view(2, 2)
        prefix_X = joint_XY.logsumexp(-1)
        second_XY = joint_XY - prefix_X[:, None]
        return torch.stack([prefix_X[first_R], second_XY[first_R, second_R]], -1)[None]

    def gradient(logits_XY: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        free_XY = logits_XY.clone().requires_grad_()
        now_BNT = logp(free_XY)
        now = Reading(now_BNT, logp(reference_XY.log()), torch.ones_like(now_BNT))
        seen = Rollout(reward_XY.view(1, 4), now.map(torch.Tensor.detach))
        config = reinforce_pp.Config(beta=0.5)
        taken = RolloutStep(seen, now, reinforce_pp.advantages(config, seen))
        chance_R = now_BNT.detach().sum(-1).exp()[0]
        loss = (chance_R * reinforce_pp.loss(config, taken)[0]).sum()
        (found_XY,) = torch.autograd.grad(loss, free_XY)
        return taken.advantage[0], found_XY

    advantage_RT, at_rest_XY = gradient(reference_XY.log() + reward_XY / 0.5)
    assert at_rest_XY.abs().max() < 1e-9
    # first tokens have one return, second ones that of their prefix, above it or below
    assert advantage_RT[:, 0].std() < 1e-9
    assert (advantage_RT[:, 1] - advantage_RT[:, 0]).sign().tolist() == [-1.0, -1.0, 1.0, 1.0]
    assert gradient(reference_XY.log())[1].abs().max() > 0.05


def test_clipping_by_hand() -> None:
    config = reinforce_pp.Config()
    taken = rollouts.step(reinforce_pp, config, rollouts.rollout([1.0, 3.0]), [0.405465] * 2)
    assert reinforce_pp.loss(config, taken)[0].tolist() == pytest.approx([1.5, -1.2], abs=1e-4)
