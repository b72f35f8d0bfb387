from itertools import combinations

import numpy as np
import pytest
from scipy.special import softmax

from overopt.stats.arrays import Floats, Ints
from overopt.stats.pools import best_of_n, draws, listed, soft_best_of_n


def soft_choice(score_BN: Floats, temperature: float) -> draws.Choose:
    def choose(drawn_Dn: Ints) -> Floats:
        return np.asarray(softmax(score_BN.ravel()[drawn_Dn] / temperature, axis=-1))

    return choose


def at_random(drawn_Dn: Ints) -> Floats:
    return np.full(drawn_Dn.shape, 1.0 / drawn_Dn.shape[-1])


def constant(value: float) -> draws.Choose:
    return lambda drawn_Dn: np.full(drawn_Dn.shape, value)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize(("n", "temperature"), [(1, 1.0), (2, 0.5), (3, 0.01), (5, 2.0)])
def test_mean_choice_is_the_mean_over_every_subset(n: int, temperature: float) -> None:
    score = np.array([[0.3, 1.2, -0.5, 0.9, 0.3, 2.0]])
    expected, subsets = np.zeros(6), list(combinations(range(6), n))
    for subset in subsets:
        rows = list(subset)
        expected[rows] += softmax(score[0, rows] / temperature) / len(subsets)
    found = draws.mean_choice(soft_choice(score, temperature), 1, 6, n, rng())
    np.testing.assert_allclose(found[0], expected, atol=0.02)
    assert found.sum() == pytest.approx(1.0)


def test_a_draw_of_the_whole_pool_is_exact() -> None:
    score = np.random.default_rng(0).normal(size=(3, 9))
    found = draws.mean_choice(soft_choice(score, 0.4), 3, 9, 9, rng())
    np.testing.assert_allclose(found, softmax(score / 0.4, axis=1))


def test_cold_mean_choice_has_the_gold_of_best_of_n() -> None:
    generator = np.random.default_rng(1)
    score, gold = generator.normal(size=(40, 64)), generator.normal(size=(40, 64))
    soft = draws.mean_choice(soft_choice(score, 0.001), 40, 64, 8, rng())
    hard = best_of_n.weights(score, 8)
    difference_B = ((soft - hard) * gold).sum(axis=1)
    error = float(difference_B.std(ddof=1) / 40**0.5)
    assert error < 0.006  # of golds with SD 1: what the cutting adds is small
    assert abs(float(difference_B.mean())) < 3 * error


def test_expected_gold_is_unbiased_for_fresh_draws() -> None:
    """Pools of 8 from a listed world, n = 4: their mean is the exact expectation."""
    generator = np.random.default_rng(2)
    score_R, gold_R = np.array([0.0, 1.0, 2.0, 4.0]), np.array([1.0, 3.0, -2.0, 5.0])
    reference_R = np.array([0.4, 0.3, 0.2, 0.1])
    exact = float(soft_best_of_n.policy(score_R[None], reference_R[None], 4, 1.0)[0] @ gold_R)
    drawn = generator.choice(4, size=(1500, 8), p=reference_R)
    weight = draws.mean_choice(soft_choice(score_R[drawn], 1.0), 1500, 8, 4, rng())
    gold_B = (weight * gold_R[drawn]).sum(axis=1)
    z = (gold_B.mean() - exact) / (gold_B.std(ddof=1) / 1500**0.5)
    assert abs(z) < 3
    # the pool taken for the reference is not: it draws the same sample twice
    pool = soft_best_of_n.policy(score_R[drawn], listed.uniform(*drawn.shape), 4, 1.0)
    lost_B = ((weight - pool) * score_R[drawn]).sum(axis=1)
    assert lost_B.mean() > 3 * lost_B.std(ddof=1) / 1500**0.5


@pytest.mark.parametrize("temperature", [0.01, 0.3, 3.0])
@pytest.mark.parametrize("n", [2, 8, 32])
def test_marginal_kl_agrees_with_the_integral(n: int, temperature: float) -> None:
    score = np.random.default_rng(n).normal(size=(96, 64))
    reference = listed.uniform(96, 64)
    exact_B = listed.kl_listed(soft_best_of_n.policy(score, reference, n, temperature), reference)
    found = draws.marginal_kl(soft_choice(score, temperature), 96, 64, n, rng())
    assert found.kl_B.mean() == pytest.approx(exact_B.mean(), abs=0.005)
    assert np.all(np.abs(found.correction_B) < 0.03)
    plain = found.kl_B + found.correction_B
    assert abs(found.kl_B.mean() - exact_B.mean()) < max(abs(plain.mean() - exact_B.mean()), 0.005)


def test_picking_at_random_has_no_kl() -> None:
    found = draws.marginal_kl(at_random, 2, 10, 4, rng(), rounds=3)
    np.testing.assert_allclose(found.kl_B, 0.0, atol=1e-12)
    np.testing.assert_allclose(draws.mean_choice(at_random, 2, 12, 4, rng()), 1 / 12)


def test_a_choice_may_look_at_the_whole_draw() -> None:
    """The middle one of three by score, which no reweighting of single scores can say."""
    score = np.arange(9.0)[None]

    def middle(drawn_Dn: Ints) -> Floats:
        return np.asarray(np.argsort(np.argsort(drawn_Dn, axis=-1), axis=-1) == 1, np.float64)

    found = draws.mean_choice(middle, 1, 9, 3, rng())
    subsets = list(combinations(range(9), 3))
    expected = np.bincount([subset[1] for subset in subsets], minlength=9) / len(subsets)
    np.testing.assert_allclose(found[0], expected, atol=0.02)
    assert found[0, 0] == found[0, 8] == 0.0
    assert score[0] @ found[0] == pytest.approx(4.0, abs=0.1)


def test_the_same_randomness_gives_the_same_numbers() -> None:
    score = np.random.default_rng(0).normal(size=(2, 16))
    one, two = (draws.marginal_kl(soft_choice(score, 0.2), 2, 16, 4, rng()) for _ in range(2))
    np.testing.assert_array_equal(one.kl_B, two.kl_B)


def test_mistakes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.\.6"):
        draws.mean_choice(at_random, 1, 6, 7, rng())
    with pytest.raises(ValueError, match="rounds at least 2"):
        draws.marginal_kl(at_random, 1, 6, 2, rng(), rounds=1)
    for value in (1.0, np.nan):
        with pytest.raises(ValueError, match="sum to 1"):
            draws.mean_choice(constant(value), 1, 6, 2, rng())
    with pytest.raises(ValueError, match="has shape"):
        draws.mean_choice(lambda d: np.ones((1, 1)), 1, 6, 2, rng())
