from __future__ import annotations

import pytest
import torch

from overopt.methods.rollout import ema_anchor, rloo, t1

from . import rollouts


def test_slopes_by_hand() -> None:
    """Log-likelihoods .4, -.2, which are the log-ratios too: R = 2 - .5 x .4 - .1 x .4 and
    1 + .5 x .2 + .1 x .2; the leave-one-out advantage is .64.
    """
    config = t1.Config(beta=0.5, entropy_weight=0.1)
    taken = rollouts.step(t1, config, rollouts.rollout([2.0, 1.0], [0.4, -0.2]))
    assert rollouts.slopes(t1, config, taken) == pytest.approx([-0.64, 0.64])


def test_without_bonus_and_with_a_still_anchor_it_is_rloo() -> None:
    seen = rollouts.rollout([1.0, 2.0, 6.0], [0.3, -2.0, 1.0])
    mine, base = t1.Config(beta=0.4, entropy_weight=0.0), rloo.Config(beta=0.4)
    found = rollouts.slopes(t1, mine, rollouts.step(t1, mine, seen))
    assert found == pytest.approx(rollouts.slopes(rloo, base, rollouts.step(rloo, base, seen)))


@pytest.mark.parametrize(("beta", "bonus"), [(1.0, 0.0), (0.5, 0.5)])
def test_it_comes_to_rest_at_a_flattened_tilt(beta: float, bonus: float) -> None:
    """( pi_ref^beta exp(r) )^(1/(beta + a)) / Z."""
    config = t1.Config(beta=beta, entropy_weight=bonus)
    score_R = beta * rollouts.REFERENCE_R.log() + rollouts.REWARD_R
    expected = (score_R / (beta + bonus)).softmax(-1).tolist()
    assert rollouts.rest(t1, config) == pytest.approx(expected, abs=1e-6)


def test_average_and_temperature_are_the_configs() -> None:
    initial, weights = {"w": torch.tensor(0.0)}, {"w": torch.tensor(1.0)}
    mine, other = t1.Config(mu=0.1), ema_anchor.Config(mu=0.1)
    done = t1.after_step(mine, t1.begin(mine, initial), weights, 1)
    assert done == ema_anchor.after_step(other, initial, weights, 1)
    assert t1.temperature(t1.Config(sampling_temperature=1.3), initial) == 1.3
