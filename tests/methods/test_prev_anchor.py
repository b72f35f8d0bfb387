from __future__ import annotations

import pytest
import torch

from overopt.methods.rollout import prev_anchor

from . import rollouts


def test_the_anchor_moves_every_other_rollout() -> None:
    config, weights = prev_anchor.Config(rollouts=2), {"w": torch.tensor(3.0)}
    moved = [prev_anchor.after_round(config, None, weights, number).anchor for number in (1, 2, 3)]
    assert moved == [None, weights, None]


def test_advantages_by_hand() -> None:
    """Rewards 2, 1 and .4, -.2 nats above the last iterate, eta .5: 1.8 - 1.1."""
    seen = rollouts.rollout([2.0, 1.0], [9.0, 9.0])
    anchor_BNT = torch.tensor([[[8.6], [9.2]]], dtype=torch.float64)
    seen = seen._replace(sampled=seen.sampled._replace(anchor_logp=anchor_BNT))
    found = prev_anchor.advantages(prev_anchor.Config(eta=0.5), seen)
    assert found[0].tolist() == pytest.approx([0.7, -0.7])


def test_two_iterations_at_eta_2_are_one_at_1() -> None:
    """Each multiplies the policy by exp(r/eta): pi_ref exp(2 r/2)/Z."""
    first = rollouts.rest(prev_anchor, prev_anchor.Config(eta=2.0), rate=0.2)
    anchor_R = torch.tensor(first, dtype=torch.float64).log()
    second = rollouts.rest(prev_anchor, prev_anchor.Config(eta=2.0), rate=0.2, anchor_R=anchor_R)
    once = rollouts.rest(prev_anchor, prev_anchor.Config(eta=1.0))
    assert second == pytest.approx(rollouts.TILTED, abs=5e-5)
    assert second == pytest.approx(once, abs=1e-6)
