from __future__ import annotations

import pytest
import torch

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.rollout import a2pr, rloo

from . import rollouts


def taken(config: a2pr.Config, own: list[float], others: list[float]) -> RolloutStep:
    """Own samples have log-likelihood 0; those of the initial policy -1, -2, -3 ..."""
    shown = rollouts.rollout(others, [-1.0 - number for number in range(len(others))])
    seen = rollouts.rollout(own)._replace(opponents=shown)
    now = shown.sampled._replace(policy_logp=shown.sampled.policy_logp.clone().requires_grad_())
    return rollouts.step(a2pr, config, seen)._replace(opponents=now)


def test_the_better_of_two_counts_if_it_beats_the_mean() -> None:
    """V = 2; the better of 1, 5, of 5, 3, of 3, 1 are the second, the second and the third."""
    config = a2pr.Config(imitation=0.5)
    step = taken(config, [1.0, 2.0, 3.0], [1.0, 5.0, 3.0])
    assert a2pr.loss(config, step)[0].tolist() == pytest.approx([1.0, 1.0, 1.5])
    assert step.opponents is not None
    (slope_BNT,) = torch.autograd.grad(a2pr.loss(config, step).sum(), step.opponents.policy_logp)
    assert slope_BNT.flatten().tolist() == [0.0, -1.0, -0.5]


def test_samples_that_the_policy_has_outgrown_do_not_count() -> None:
    """V = 4: only the pairs with 5 in them are left."""
    config = a2pr.Config(imitation=0.5)
    step = taken(config, [3.0, 4.0, 5.0], [1.0, 5.0, 3.0])
    assert a2pr.loss(config, step)[0].tolist() == pytest.approx([1.0, 1.0, 0.0])


def test_without_imitation_it_is_rloo() -> None:
    config = a2pr.Config(imitation=0.0)
    step = taken(config, [1.0, 2.0, 6.0], [1.0, 5.0, 3.0])
    base = rollouts.rollout([1.0, 2.0, 6.0])
    found = rollouts.slopes(a2pr, config, step)
    assert found == rollouts.slopes(rloo, rloo.Config(), rollouts.step(rloo, rloo.Config(), base))


def test_what_was_not_computed_is_named() -> None:
    config = a2pr.Config()
    with pytest.raises(ValueError, match="reference_samples was not computed"):
        a2pr.loss(config, rollouts.step(a2pr, config, rollouts.rollout([1.0, 2.0])))
