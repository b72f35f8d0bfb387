from __future__ import annotations

import pytest
import torch

from overopt.methods.rollout import ema_anchor, rloo

from . import rollouts


def test_average_by_hand() -> None:
    """mu .1, a weight that goes from 0 to 1 to 2: .1, then .09 + .2 = .29."""
    config = ema_anchor.Config(mu=0.1)
    memory = ema_anchor.begin(config, {"w": torch.tensor(0.0)})
    for value, expected in ((1.0, 0.1), (2.0, 0.29)):
        done = ema_anchor.after_step(config, memory, {"w": torch.tensor(value)}, 1)
        memory = done.memory
        assert done.weights is None and done.anchor is not None
        assert done.anchor["w"].item() == pytest.approx(expected)


def test_advantages_by_hand() -> None:
    """Reward 2, .3 nats above the average, beta .1: 1.97; the other's is 1."""
    seen = rollouts.rollout([2.0, 1.0])
    anchor_BNT = torch.tensor([[[-0.3], [0.0]]], dtype=torch.float64)
    seen = seen._replace(sampled=seen.sampled._replace(anchor_logp=anchor_BNT))
    found = ema_anchor.advantages(ema_anchor.Config(beta=0.1), seen)
    assert found[0].tolist() == pytest.approx([0.97, -0.97])


def test_a_still_anchor_is_the_usual_penalty() -> None:
    seen = rollouts.rollout([1.0, 2.0, 6.0], [0.3, -2.0, 1.0])
    found = ema_anchor.advantages(ema_anchor.Config(mu=0.0, beta=0.4), seen)
    assert torch.equal(found, rloo.advantages(rloo.Config(beta=0.4), seen))
    config = ema_anchor.Config(mu=0.0, beta=1.0)
    assert rollouts.rest(ema_anchor, config) == pytest.approx(rollouts.TILTED, abs=5e-5)


def test_an_anchor_that_has_caught_up_leaves_no_penalty() -> None:
    seen = rollouts.rollout([1.0, 2.0, 6.0], [0.3, -2.0, 1.0])
    caught = seen.sampled._replace(anchor_logp=seen.sampled.policy_logp)
    config = ema_anchor.Config(mu=1.0, beta=5.0)
    found = ema_anchor.advantages(config, seen._replace(sampled=caught))
    assert torch.equal(found, rloo.advantages(rloo.Config(), seen))
