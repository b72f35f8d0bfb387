from __future__ import annotations

import pytest
import torch

from overopt.methods.rollout import dapo, grpo

from . import rollouts


def test_the_two_clips_by_hand() -> None:
    """A = -+ .70706: w = 1.5 counts as 1.28 where A > 0; w = .5 as .8 where A < 0."""
    config, seen = dapo.Config(), rollouts.rollout([1.0, 3.0])
    up = rollouts.step(dapo, config, seen, [0.405465, 0.405465])
    assert dapo.loss(config, up)[0].tolist() == pytest.approx([1.0606, -0.9050], abs=1e-4)
    down = rollouts.step(dapo, config, seen, [-0.693147, -0.693147])
    assert dapo.loss(config, down)[0].tolist() == pytest.approx([0.5656, -0.3535], abs=1e-4)


def test_the_mean_is_over_all_tokens() -> None:
    """Three tokens of A = -1 and one of A = 1."""
    seen = rollouts.rollout([1.0, 3.0])
    mask_BNT = torch.tensor([[[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]]).double()
    zero_BNT = torch.zeros_like(mask_BNT)
    sampled = seen.sampled._replace(policy_logp=zero_BNT, reference_logp=zero_BNT, mask=mask_BNT)
    taken = rollouts.step(dapo, dapo.Config(), seen._replace(sampled=sampled))
    taken = taken._replace(advantage=torch.tensor([[-1.0, 1.0]]).double())
    assert dapo.loss(dapo.Config(), taken).mean().item() == pytest.approx((3 - 1) / 4)


def test_price_of_length_by_hand() -> None:
    """Limit 6, cushion 4: of lengths 1, 3, 6, 9 the prices are 0, 1/4, 1, 1."""
    length_N = torch.tensor([1, 3, 6, 9])
    mask_BNT = (torch.arange(9)[None] < length_N[:, None]).double()[None]
    seen = rollouts.rollout([5.0, 5.0, 5.0, 5.0])
    sampled = seen.sampled._replace(
        policy_logp=0 * mask_BNT, reference_logp=0 * mask_BNT, mask=mask_BNT
    )
    seen = seen._replace(sampled=sampled)
    priced = seen._replace(reward_BN=torch.tensor([[5.0, 4.75, 4.0, 4.0]]).double())
    found = dapo.advantages(dapo.Config(limit=6, cushion=4), seen)
    assert torch.allclose(found, grpo.advantages(grpo.Config(), priced))
    assert not dapo.advantages(dapo.Config(), seen).any()
