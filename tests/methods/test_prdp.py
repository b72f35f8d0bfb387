from __future__ import annotations

import pytest

from overopt.methods.rollout import copg, prdp

from . import rollouts


def test_clipping_by_hand() -> None:
    """r = 2, 1, beta .5, moved by .5 and -.1, of which .2 and -.1 count.

    Plain: (1 - .5 x .6)^2 = .49; clipped: (1 - .5 x .3)^2 = .7225, which is larger, and by which
    only the second response is taught: 2 x .85 x .5, over 2 beta.
    """
    config = prdp.Config(beta=0.5, clip=0.2)
    taken = rollouts.step(prdp, config, rollouts.rollout([2.0, 1.0]), [0.5, -0.1])
    assert prdp.loss(config, taken).sum().item() == pytest.approx(0.7225)
    assert rollouts.slopes(prdp, config, taken) == pytest.approx([0.0, 0.85])


def test_a_move_the_wrong_way_is_never_clipped() -> None:
    """Moved by -.5 and .1: plain (1 + .3)^2 = 1.69 over clipped (1 + .15)^2."""
    config = prdp.Config(beta=0.5, clip=0.2)
    taken = rollouts.step(prdp, config, rollouts.rollout([2.0, 1.0]), [-0.5, 0.1])
    assert prdp.loss(config, taken).sum().item() == pytest.approx(1.69)
    assert rollouts.slopes(prdp, config, taken) == pytest.approx([-1.3, 1.3])


def test_with_no_clip_that_binds_it_is_copg() -> None:
    seen = rollouts.rollout([1.0, 2.0, 4.0], [0.3, -0.2, 0.5])
    mine, base = prdp.Config(beta=0.7, clip=99.0), copg.Config(beta=0.7)
    first = rollouts.step(prdp, mine, seen, [0.4, -0.6, 1.0])
    second = rollouts.step(copg, base, seen, [0.4, -0.6, 1.0])
    assert prdp.loss(mine, first).tolist() == copg.loss(base, second).tolist()
    assert rollouts.slopes(prdp, mine, first) == pytest.approx(rollouts.slopes(copg, base, second))


def test_it_comes_to_rest_at_the_tilted_reference() -> None:
    found = rollouts.rest(prdp, prdp.Config(beta=1.0))
    assert found == pytest.approx(rollouts.TILTED, abs=5e-5)
