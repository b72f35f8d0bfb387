import numpy as np
import pytest

from overopt.catalog import systems
from overopt.proxies.adv_rm import Config, attack, pick

ATTACK_MN = np.array([[3.0, 3.0, 0.5, 1.0], [0.0, 2.5, -2.0, 1.0]])
INITIAL_MN = np.array([[0.0, 0.0, 1.0, 0.0], [9.0, 9.0, 9.0, 9.0]])


def test_the_adversary_s_reward_by_hand() -> None:
    assert attack(Config(), ATTACK_MN).tolist() == [3.0, 0.5, 2.5, 0.0]
    assert attack(Config(against=0.5), ATTACK_MN).tolist() == [3.0, 1.75, 1.5, 0.5]
    assert attack(Config(against=0.0), ATTACK_MN) == pytest.approx(ATTACK_MN[0])


def test_what_is_taken_by_hand() -> None:
    """The second is liked by both, the third less than the initial policy's, the fourth by both."""
    assert pick(Config(), ATTACK_MN, INITIAL_MN).tolist() == [True, False, False, False]
    assert pick(Config(gap=0.5), ATTACK_MN, INITIAL_MN).tolist() == [True, True, False, False]
    assert not pick(Config(), np.ones((2, 5)), np.zeros((2, 5))).any()


def test_the_adversary_plays_two_plain_models() -> None:
    spec = systems.proxy("adv-rm")
    assert spec.members == 1 and spec.attacker is not None and spec.attacker.name == "rloo"
    assert spec.attacked.members == 2 and spec.attacked.attacking
    assert spec.attacked.attacker is None and not spec.own_loss
