from __future__ import annotations

import pytest

from overopt.methods.rollout import rebel, rloo

from . import rollouts


def test_pair_by_hand() -> None:
    """D = .3, -.1, eta .5, gap 1: (.8 - 1)^2 = .04, times eta/2."""
    config = rebel.Config(eta=0.5)
    taken = rollouts.step(rebel, config, rollouts.rollout([2.0, 1.0]), [0.3, -0.1])
    assert rebel.loss(config, taken).sum().item() == pytest.approx(0.04 * 0.25)
    assert rollouts.slopes(rebel, config, taken) == pytest.approx([-0.2, 0.2])


def test_the_first_step_is_rloos() -> None:
    seen = rollouts.rollout([1.0, 2.0, 4.0, 0.5], [0.3, -0.2, 0.5, -1.0])
    mine, base = rebel.Config(eta=3.0), rloo.Config()
    found = rollouts.slopes(rebel, mine, rollouts.step(rebel, mine, seen))
    assert found == pytest.approx(rollouts.slopes(rloo, base, rollouts.step(rloo, base, seen)))


@pytest.mark.parametrize("eta", [1.0, 2.0])
def test_an_iteration_is_a_step_of_mirror_descent(eta: float) -> None:
    best_R = (rollouts.REFERENCE_R.log() + eta * rollouts.REWARD_R).softmax(-1)
    found = rollouts.regressed(rebel, rebel.Config(eta=eta))
    assert found == pytest.approx(best_R.tolist(), abs=1e-6)
    if eta == 1:
        assert found == pytest.approx(rollouts.TILTED, abs=5e-5)
