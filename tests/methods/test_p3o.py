from __future__ import annotations

import pytest

from overopt.methods.rollout import p3o, rloo

from . import rollouts


def test_slopes_by_hand() -> None:
    """R = 2, 1: (-1/2, 1/2), half of RLOO's with two samples."""
    for form in ("joint", "separate"):
        config = p3o.Config(form=form)
        seen = rollouts.rollout([2.0, 1.0])
        found = rollouts.slopes(p3o, config, rollouts.step(p3o, config, seen))
        assert found == pytest.approx([-0.5, 0.5])
        base = rollouts.step(rloo, rloo.Config(), seen)
        assert [2 * slope for slope in found] == rollouts.slopes(rloo, rloo.Config(), base)


@pytest.mark.parametrize(("form", "expected"), [("separate", -0.1476), ("joint", -0.6)])
def test_clipped_losses_by_hand(form: str, expected: float) -> None:
    """a = .5, w = exp .3 and exp -.1: -.6 + .4524, and exp .4 clipped at 1.2."""
    config = p3o.Config(form=form, clip=0.2)
    taken = rollouts.step(p3o, config, rollouts.rollout([2.0, 1.0]), [0.3, -0.1])
    assert p3o.loss(config, taken).sum().item() == pytest.approx(expected, abs=5e-5)
    slopes = rollouts.slopes(p3o, config, taken)
    assert slopes == pytest.approx([0.0, 0.0] if form == "joint" else [0.0, 0.4524], abs=5e-5)


def test_a_reward_of_the_prompt_alone_changes_nothing() -> None:
    config = p3o.Config(beta=0.3)
    once, twice = (
        p3o.advantages(config, rollouts.rollout(reward, [0.2, 0.0, -0.4, 0.1]))
        for reward in ([1.0, 2.0, 0.0, 5.0], [4.0, 5.0, 3.0, 8.0])
    )
    assert once.tolist() == twice.tolist()


def test_penalty_is_inside_the_reward() -> None:
    """2 - .5 x .4 and 1 + .5 x .2: half of the difference is .35."""
    found = p3o.advantages(p3o.Config(beta=0.5), rollouts.rollout([2.0, 1.0], [0.4, -0.2]))
    assert found[0].tolist() == pytest.approx([0.35, -0.35])


def test_it_comes_to_rest_at_the_tilted_reference() -> None:
    found = rollouts.rest(p3o, p3o.Config(beta=1.0), rate=1.0)
    assert found == pytest.approx(rollouts.TILTED, abs=5e-5)


def test_an_odd_sample_has_no_other() -> None:
    with pytest.raises(ValueError, match="even number"):
        p3o.advantages(p3o.Config(), rollouts.rollout([1.0, 2.0, 3.0]))
