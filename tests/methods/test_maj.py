from itertools import product
from typing import Any

import numpy as np
import pytest

from overopt.engines.method.selection import OpenedSelection
from overopt.engines.selection import Selection, find_places
from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.selection import maj, rm_maj
from overopt.stats.arrays import Floats, Ints
from overopt.stats.pools.listed import kl_listed

# Answers 0, 1, 2 with .5, .3, .2. Three votes: three alike, or two of the three draws; where all
# differ, chance. P(0) = .125 + 3 x .25 x .5 + 6 x .03 / 3 = .56, P(1) = .027 + 3 x .09 x .7 + .06
# = .276, P(2) = .008 + 3 x .04 x .8 + .06 = .164.
CHANCE_A = np.array([0.5, 0.3, 0.2])
OF_THREE_A = np.array([0.56, 0.276, 0.164])


def pool(answer_BN: Ints, proxy_BN: Floats | None = None) -> ScoredPool:
    proxy_BN = np.zeros(answer_BN.shape) if proxy_BN is None else proxy_BN
    return samples_of_reference(proxy_BN)._replace(answer_BN=answer_BN)


def law(module: Any, n: int, proxy_A: Floats, **config: Any) -> Floats:
    """Probability of each answer, all draws of n written out; one response has each answer."""
    draw_Dn = np.array(list(product(range(3), repeat=n)))
    drawn = pool(draw_Dn, proxy_A[draw_Dn])
    within = module.draw_weights(module.Config(**config), drawn, float(n))
    weight = CHANCE_A[draw_Dn].prod(axis=1)[:, None] * within
    return np.asarray(np.bincount(draw_Dn.ravel(), weights=weight.ravel()), np.float64)


def test_three_votes_by_hand() -> None:
    assert law(maj, 3, np.zeros(3)) == pytest.approx(OF_THREE_A)
    assert law(maj, 2, np.zeros(3)) == pytest.approx(CHANCE_A)  # two votes decide nothing


def test_equal_rewards_are_the_majority_and_cold_ones_count_rewards() -> None:
    assert law(rm_maj, 3, np.full(3, 0.4)) == pytest.approx(OF_THREE_A)
    # weights 0, .55 and 1: answer 2 wins once it is drawn, if not outvoted by two of answer 1:
    # 1 - .8^3 - 3 x .2 x .3^2 = .488 - .054
    steep = law(rm_maj, 3, np.array([-20.0, 0.2, 20.0]))
    assert steep[2] == pytest.approx(0.434, abs=1e-6)
    hot = law(rm_maj, 3, np.array([-20.0, 0.2, 20.0]), temperature=1e14)
    assert hot == pytest.approx(OF_THREE_A, abs=1e-6)


def test_votes_of_a_sigmoid_that_is_zero_in_floating_point_still_differ() -> None:
    cold = law(rm_maj, 3, np.full(3, -8.0), temperature=0.01)  # e^-800 each
    assert cold == pytest.approx(OF_THREE_A)
    # e^-800, e^-900 and e^-700: 2 wins once it is drawn, 0 over 1: 1 - .8^3, .8^3 - .3^3, .3^3
    steep = law(rm_maj, 3, np.array([-8.0, -9.0, -7.0]), temperature=0.01)
    assert steep == pytest.approx([0.485, 0.027, 0.488])


def test_a_response_without_an_answer_does_not_weaken_the_votes_of_others() -> None:
    drawn = pool(np.array([[-1, 0, 1], [-1, -1, -1]]), np.array([[9.0, -9.0, -8.0], [-9, -8, -7]]))
    chance_Dn = rm_maj.draw_weights(rm_maj.Config(temperature=0.01), drawn, 3.0)
    assert chance_Dn == pytest.approx(np.array([[0.0, 0.0, 1.0], [1 / 3, 1 / 3, 1 / 3]]))


def test_the_engine_finds_the_kl_and_the_weights_of_the_law() -> None:
    answer_N = np.repeat([0, 1, 2], [50, 30, 20])
    generator = np.random.default_rng(0)
    sampled = pool(np.tile(answer_N, (8, 1)), generator.normal(size=(8, 100)))
    module: Any = maj
    method = OpenedSelection(module, maj.Config())
    selection = Selection(method, lambda: np.random.default_rng(0))
    expected = kl_listed(OF_THREE_A[None], CHANCE_A[None])[0]
    assert selection.kl(sampled, 3.0).mean() == pytest.approx(expected, abs=2e-3)
    assert selection.kl(sampled, 2.0).mean() == pytest.approx(0.0, abs=2e-3)
    mean_A = np.bincount(answer_N, weights=selection.weights(sampled, 3.0).mean(axis=0))
    assert mean_A == pytest.approx(OF_THREE_A, abs=0.01)
    # no vote goes beyond the favorite answer, log 2 away
    places = find_places(selection, maj.KNOB, [0.1, 0.6, 1.0], sampled, None)
    assert [one.kl_target_nats for one in places if one.knob_value is None] == [1.0]


def test_answers_have_to_be_asked_for() -> None:
    with pytest.raises(ValueError, match="answers was not computed"):
        maj.draw_weights(maj.Config(), samples_of_reference(np.zeros((1, 3))), 3.0)


@pytest.mark.parametrize("module", [maj, rm_maj])
def test_a_response_costs_n_samples(module: Any) -> None:
    assert module.samples_used(module.Config(), 512, 9.0) == 9
    assert module.draw_size(module.Config(), 9.0) == 9
