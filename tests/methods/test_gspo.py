from __future__ import annotations

import math

import pytest
import torch

from overopt.methods.rollout import grpo, gspo

from . import rollouts


def test_ratio_is_the_geometric_mean_of_the_tokens() -> None:
    """Tokens moved by .3 and -.1: s = exp .1 = 1.1052, of one advantage 1 and one -1."""
    config = gspo.Config(clip_low=0.5, clip_high=0.5)
    seen = rollouts.rollout([1.0, 3.0])
    logp_BNT = torch.zeros(1, 2, 2, dtype=torch.float64)
    sampled = seen.sampled._replace(
        policy_logp=logp_BNT, reference_logp=logp_BNT, mask=torch.ones_like(logp_BNT)
    )
    taken = rollouts.step(gspo, config, seen._replace(sampled=sampled), [0.3, -0.1] * 2)
    taken = taken._replace(advantage=torch.tensor([[1.0, -1.0]]).double())
    assert gspo.loss(config, taken)[0].tolist() == pytest.approx([-1.1052, 1.1052], abs=5e-5)
    slopes = rollouts.slopes(gspo, config, taken)
    assert slopes == pytest.approx([-0.5526, -0.5526, 0.5526, 0.5526], abs=5e-5)


def test_clipping_by_hand() -> None:
    """A ratio of 1.01 counts as 1.0004 where A > 0."""
    config = gspo.Config()
    taken = rollouts.step(gspo, config, rollouts.rollout([1.0, 3.0]), [math.log(1.01)] * 2)
    taken = taken._replace(advantage=torch.tensor([[-1.0, 1.0]]).double())
    assert gspo.loss(config, taken)[0].tolist() == pytest.approx([1.01, -1.0004])


def test_of_one_token_with_grpos_clip_it_is_grpo() -> None:
    seen = rollouts.rollout([1.0, 2.0, 6.0], [0.3, -2.0, 1.0])
    mine, base = gspo.Config(beta=0.4, clip_low=0.2, clip_high=0.2), grpo.Config(beta=0.4)
    move = [0.1, -0.5, 0.7]
    first, second = rollouts.step(gspo, mine, seen, move), rollouts.step(grpo, base, seen, move)
    assert torch.allclose(gspo.loss(mine, first), grpo.loss(base, second))
