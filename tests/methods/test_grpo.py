from __future__ import annotations

import math

import pytest
import torch

from overopt.methods.rollout import grpo

from . import rollouts


def test_advantages_by_hand() -> None:
    """1, 2, 4: mean 7/3, SD sqrt(7/3)."""
    found = grpo.advantages(grpo.Config(), rollouts.rollout([1.0, 2.0, 4.0]))
    assert found[0].tolist() == pytest.approx([-0.8728, -0.2182, 1.0910], abs=5e-5)


def test_advantages_do_not_know_the_unit_of_the_reward() -> None:
    reward_BN = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seen = rollouts.rollout([0.0, 0.0])._replace(reward_BN=reward_BN)
    bent = seen._replace(reward_BN=7 * reward_BN + 3)
    once, twice = (grpo.advantages(grpo.Config(), one) for one in (seen, bent))
    assert torch.allclose(once, twice, atol=5e-4)


def test_loss_by_hand() -> None:
    """Rewards 1, 3: A = -+ 2^-1/2 up to the 1e-4; w = 1.5 is clipped where A > 0 only."""
    config = grpo.Config(beta=0.5, clip=0.2)
    seen = rollouts.rollout([1.0, 3.0])
    taken = rollouts.step(grpo, config, seen, [math.log(1.5)] * 2)
    penalty = 0.5 * (1 / 1.5 + math.log(1.5) - 1)
    expected = [1.5 * 0.70706 + penalty, -1.2 * 0.70706 + penalty]
    assert grpo.loss(config, taken)[0].tolist() == pytest.approx(expected, abs=1e-4)


def test_it_comes_to_rest_where_advantage_and_penalty_meet() -> None:
    """pi (E A - beta) + beta pi_ref = 0, E A from the ranks: of two samples A is -+ 2^-1/2.

    The penalty's gradient in the logits is pi - pi_ref, that of KL(pi_ref || pi) of one token.
    """
    policy = rollouts.rest(grpo, grpo.Config(beta=0.5), steps=600)
    first, second, third = policy
    ahead = [-second - third, first - third, first + second]
    for chance, reference, gain in zip(policy, rollouts.REFERENCE_R, ahead, strict=True):
        slope = chance * (gain * 2**-0.5 - 0.5) + 0.5 * float(reference)
        assert slope == pytest.approx(0.0, abs=2e-4)
    assert policy[2] > 0.4
