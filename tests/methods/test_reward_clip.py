from __future__ import annotations

import pytest
import torch

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.rollout import reward_clip, rloo

from . import stepped


def test_only_the_bad_step_costs_by_hand() -> None:
    """p .9, .95, .4 at eta .9: 0, 0, -.5, so that -.5 is still to come everywhere.

    The outcome's advantage is 1; the other response has no steps, and mirrors the first as far as
    it goes.
    """
    found = reward_clip.advantages(reward_clip.Config(eta=0.9), stepped.rollout())
    assert found[0, 0].tolist() == pytest.approx([0.5] * 6)
    assert found[0, 1].tolist() == pytest.approx([-0.5] * 3 + [0.0] * 3)


def test_steps_below_eta_cost_where_they_are() -> None:
    """eta .95: -.05, 0, -.55, of which -.55 is left after the first step; alpha 2."""
    config = reward_clip.Config(eta=0.95, alpha=2.0)
    found = reward_clip.advantages(config, stepped.rollout())
    assert found[0, 0].tolist() == pytest.approx([1 - 1.2] * 2 + [1 - 1.1] * 4)


def test_more_good_steps_gain_nothing() -> None:
    config = reward_clip.Config(eta=0.8)
    few = reward_clip.advantages(config, stepped.rollout((0.9, 0.9)))
    many = reward_clip.advantages(config, stepped.rollout((0.9,) * 5))
    assert few[0, 0, 0].item() == many[0, 0, 0].item() == pytest.approx(1.0)


def test_without_step_rewards_it_is_rloo() -> None:
    seen = stepped.rollout()
    advantage_BNT = reward_clip.advantages(reward_clip.Config(alpha=0.0), seen)
    mine = RolloutStep(seen, seen.sampled, advantage_BNT)
    base = RolloutStep(seen, seen.sampled, rloo.advantages(rloo.Config(), seen))
    loss_BN = reward_clip.loss(reward_clip.Config(), mine)
    assert torch.allclose(loss_BN, rloo.loss(rloo.Config(), base))


def test_scores_that_were_not_computed_are_named() -> None:
    seen = stepped.rollout()._replace(step_reward=None, step_end=None)
    with pytest.raises(ValueError, match="step_rewards was not computed"):
        reward_clip.advantages(reward_clip.Config(), seen)
