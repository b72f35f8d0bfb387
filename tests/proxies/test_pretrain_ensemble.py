import numpy as np
import pytest

from overopt.catalog import systems
from overopt.proxies import mean, wco
from overopt.proxies.pretrain_ensemble import Config, combine

SCORES_MN = np.array([[1.0, 0.0, -2.0], [2.0, 6.0, 0.0], [6.0, 0.0, -1.0]])


def test_combinations_by_hand() -> None:
    assert combine(Config(over="mean"), SCORES_MN).tolist() == [3.0, 2.0, -1.0]
    assert combine(Config(over="median"), SCORES_MN).tolist() == [2.0, 0.0, -1.0]
    assert combine(Config(over="min"), SCORES_MN).tolist() == [1.0, 0.0, -2.0]


def test_members_are_combined_as_those_of_fine_tuning_seeds() -> None:
    score_MN = np.random.default_rng(0).normal(size=(5, 20))
    assert combine(Config(), score_MN) == pytest.approx(mean.combine(mean.Config(), score_MN))
    least = combine(Config(over="min"), score_MN)
    assert least == pytest.approx(wco.combine(wco.Config(), score_MN))


def test_it_says_that_each_member_has_a_start_of_its_own() -> None:
    assert systems.proxy("pretrain-ensemble").start == "policies"
