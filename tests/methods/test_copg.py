from __future__ import annotations

import pytest

from overopt.methods.rollout import copg, rloo

from . import rollouts


def test_pair_by_hand() -> None:
    """r = 2, 1, log-ratios .3, -.1, beta .5: R = 1.85, 1.05; .8^2, slopes -+ .8, over 2 beta."""
    config = copg.Config(beta=0.5)
    taken = rollouts.step(copg, config, rollouts.rollout([2.0, 1.0], [0.3, -0.1]))
    assert copg.loss(config, taken).sum().item() == pytest.approx(0.64)
    assert rollouts.slopes(copg, config, taken) == pytest.approx([-0.8, 0.8])


def test_three_samples_by_hand() -> None:
    """R = 1, 2, 4: (1 + 4 + 9)/2 = 7, over 2 beta = 4."""
    config = copg.Config(beta=2.0)
    taken = rollouts.step(copg, config, rollouts.rollout([1.0, 2.0, 4.0]))
    assert copg.loss(config, taken).sum().item() == pytest.approx(7 / 4)


def test_on_fresh_samples_it_is_rloo_with_a_penalty() -> None:
    seen = rollouts.rollout([1.0, 2.0, 4.0, 0.5], [0.3, -0.2, 0.5, -1.0])
    mine, base = copg.Config(beta=0.7), rloo.Config(beta=0.7)
    found = rollouts.slopes(copg, mine, rollouts.step(copg, mine, seen))
    assert found == pytest.approx(rollouts.slopes(rloo, base, rollouts.step(rloo, base, seen)))


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_the_loss_is_zero_at_the_tilted_reference_alone(beta: float) -> None:
    """Whoever drew the samples: the loss is of log-ratios and rewards only."""
    best_R = (rollouts.REFERENCE_R.log() + rollouts.REWARD_R / beta).softmax(-1)
    ratio = (best_R / rollouts.REFERENCE_R).log().tolist()
    config = copg.Config(beta=beta)
    taken = rollouts.step(copg, config, rollouts.rollout(rollouts.REWARD_R.tolist(), ratio))
    assert copg.loss(config, taken).sum().item() == pytest.approx(0.0, abs=1e-12)
    assert rollouts.rest(copg, config) == pytest.approx(best_R.tolist(), abs=1e-6)
