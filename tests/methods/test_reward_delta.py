from __future__ import annotations

import pytest

from overopt.methods.math.step_returns import less_the_next, returns_to_go, step_chance
from overopt.methods.rollout import reward_clip, reward_delta

from . import stepped


def test_differences_by_hand() -> None:
    """p .9, .95, .4: -.05, .55, .4, whose returns-to-go are the scores."""
    gain_BNT = less_the_next(*step_chance(stepped.rollout()))
    assert gain_BNT[0, 0].tolist() == pytest.approx([0, -0.05, 0, 0.55, 0, 0.4])
    to_go = returns_to_go(gain_BNT)[0, 0].tolist()
    assert to_go == pytest.approx([0.9, 0.9, 0.95, 0.95, 0.4, 0.4])
    assert not gain_BNT[0, 1].any()


def test_plain_advantages_by_hand() -> None:
    found = reward_delta.advantages(reward_delta.Config(clipped=False), stepped.rollout())
    assert found[0, 0].tolist() == pytest.approx([1.9, 1.9, 1.95, 1.95, 1.4, 1.4])
    assert found[0, 1].tolist() == pytest.approx([-1.9, -1.9, -1.95, 0.0, 0.0, 0.0])


def test_clipped_first_by_hand() -> None:
    """min(p - .9, 0): 0, 0, -.5, which are the returns-to-go."""
    found = reward_delta.advantages(reward_delta.Config(eta=0.9), stepped.rollout())
    assert found[0, 0].tolist() == pytest.approx([1.0, 1.0, 1.0, 1.0, 0.5, 0.5])


@pytest.mark.parametrize("chances", [(0.7,), (0.7, 0.1, 0.8), (0.7,) * 6])
def test_the_sum_is_the_first_score_however_many_there_are(chances: tuple[float, ...]) -> None:
    gain_BNT = less_the_next(*step_chance(stepped.rollout(chances)))
    assert gain_BNT.sum().item() == pytest.approx(0.7)


def test_of_one_step_it_is_clipping() -> None:
    seen = stepped.rollout((0.3,))
    found = reward_delta.advantages(reward_delta.Config(beta=0.2), seen)
    assert found.tolist() == reward_clip.advantages(reward_clip.Config(beta=0.2), seen).tolist()
